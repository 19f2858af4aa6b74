package aggregate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/family"
)

type values = map[string]any

func reporting(cluster string, status values) family.Member {
	return family.Member{Cluster: cluster, Status: status}
}

func TestUnite(t *testing.T) {
	members := []family.Member{
		reporting("b", values{"list": []any{values{"name": "x"}, values{"name": "a"}}}),
		reporting("c", nil),
		reporting("d", values{"list": []any{values{"name": "a", "more": int64(1)}}}),
	}
	all := []any{
		values{"name": "a", "cluster": "b"}, values{"name": "a", "more": int64(1), "cluster": "d"}, values{"name": "x", "cluster": "b"},
	}
	for name, tc := range map[string]struct {
		limit, hidden int
		want          []any
	}{
		"all":      {3, 0, all},
		"bounded":  {2, 1, all[:2]},
		"not even": {0, 3, nil},
	} {
		t.Run(name, func(t *testing.T) {
			have, hidden, err := unite(members, List{Name: "list", Limit: tc.limit, By: []string{"name"}})
			if err != nil || hidden != tc.hidden {
				t.Errorf("%d hidden, %v; want %d", hidden, err, tc.hidden)
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
	if _, ok := members[0].Status["list"].([]any)[0].(values)["cluster"]; ok {
		t.Error("a member's own status was changed")
	}
	_, _, err := unite([]family.Member{reporting("b", values{"list": []any{"x"}})}, List{Name: "list", Limit: 1})
	if want := "aggregatedStatus[b].status.list[0]: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("have %v, want an error that begins with %q", err, want)
	}
}

func TestStandardConditions(t *testing.T) {
	ready := func(status, since string) values {
		return values{"conditions": []any{values{"type": "Ready", "status": status, "reason": "R", "message": "m", "lastTransitionTime": since}}}
	}
	const early, late, before = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2025-01-01T00:00:00Z"
	for name, tc := range map[string]struct {
		had     []any
		members []family.Member
		want    values
	}{
		"all say yes, since the last of them does": {nil,
			[]family.Member{reporting("a", ready("True", early)), reporting("b", ready("True", late))},
			values{"status": "True", "reason": "R", "message": "a, b: m", "lastTransitionTime": late}},
		"it was so before": {[]any{values{"type": "Ready", "status": "True", "lastTransitionTime": before}},
			[]family.Member{reporting("a", ready("True", late))},
			values{"status": "True", "reason": "R", "message": "a: m", "lastTransitionTime": before}},
		"one says no": {[]any{values{"type": "Ready", "status": "True", "lastTransitionTime": before}},
			[]family.Member{reporting("a", ready("True", late)), reporting("b", ready("False", early))},
			values{"status": "False", "reason": "R", "message": "b: m", "lastTransitionTime": early}},
		"one has not said": {nil,
			[]family.Member{reporting("a", ready("True", late)), reporting("b", values{}), reporting("c", nil)},
			values{"status": "Unknown", "reason": "MembersUnknown", "message": "not reported by b, c",
				"lastTransitionTime": "2024-01-01T00:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			object := &unstructured.Unstructured{Object: values{
				"metadata": values{"creationTimestamp": "2024-01-01T00:00:00Z"}, "status": values{"conditions": tc.had},
			}}
			have, err := standardConditions(object, tc.members, 7, "Ready")
			if err != nil {
				t.Fatal(err)
			}
			tc.want["type"], tc.want["observedGeneration"] = "Ready", int64(7)
			if diff := cmp.Diff([]any{tc.want}, have); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}
