package gate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// given is an approval of operation op at the gate "online", stamped if somebody gave it.
func given(op, by string, ago time.Duration) v1alpha1.Approval {
	out := v1alpha1.Approval{Gate: "online", OperationID: op, Decision: v1alpha1.Approve}
	if by != "" {
		at := metav1.NewTime(noon.Add(-ago))
		out.By, out.At = by, &at
	}
	return out
}

func rejected(by string) v1alpha1.Approval {
	out := given("op-1", by, time.Hour)
	out.Decision, out.Reason = v1alpha1.Reject, "no"
	return out
}

func pending(ops ...string) []v1alpha1.PendingApproval {
	var out []v1alpha1.PendingApproval
	for _, op := range ops {
		out = append(out, v1alpha1.PendingApproval{Gate: "online", OperationID: op})
	}
	return out
}

func TestStamp(t *testing.T) {
	type list = []v1alpha1.Approval
	tooMany := func(n int, ago time.Duration) list {
		var out list
		for i := range n {
			out = append(out, given(fmt.Sprintf("op-%03d", i), "ann", ago+time.Duration(n-i)*time.Second))
		}
		return out
	}
	forged := given("op-1", "ann", time.Hour)
	for name, tc := range map[string]struct {
		before, after list
		pending       []string
		want          list
		refused       string
	}{
		"a new one gets name and time":        {after: list{given("op-1", "", 0)}, want: list{given("op-1", "bob", 0)}},
		"a time of one's own counts for none": {after: list{given("op-1", "bob", time.Hour)}, want: list{given("op-1", "bob", 0)}},
		"what was there keeps its stamp": {
			before: list{given("op-1", "ann", time.Hour)}, after: list{given("op-1", "ann", time.Hour), given("op-2", "", 0)}, want: list{
				given("op-1", "ann", time.Hour), given("op-2", "bob", 0),
			},
		},
		"in another's name": {after: list{forged}, refused: "spec.approvals[0].by: bob cannot decide in the name of ann"},
		"another's, turned into its opposite": {
			before: list{given("op-1", "ann", time.Hour)}, after: list{rejected("ann")}, refused: "in the name of ann",
		},
		"another's stamp for a later decision": {
			before: list{given("op-1", "ann", time.Hour)}, after: list{given("op-1", "ann", time.Hour), given("op-2", "ann", time.Hour)},
			refused: "spec.approvals[1].by",
		},
		"one written before anybody stamped": {
			before: list{given("op-1", "", 0)}, after: list{given("op-1", "", 0)}, want: list{given("op-1", "", 0)},
		},
		"all taken off": {before: list{given("op-1", "ann", 0)}},
		"the oldest of too many go": {
			before: tooMany(70, 48*time.Hour), after: tooMany(70, 48*time.Hour), want: tooMany(70, 48*time.Hour)[6:],
		},
		"none of those that still wait": {
			before: tooMany(66, 48*time.Hour), after: tooMany(66, 48*time.Hour), pending: []string{"op-000"},
			want: append(tooMany(66, 48*time.Hour)[:1:1], tooMany(66, 48*time.Hour)[3:]...),
		},
		"none of a day": {before: tooMany(70, time.Hour), after: tooMany(70, time.Hour), want: tooMany(70, time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Edit{User: "bob", Before: tc.before, After: tc.after,
				Pending: pending(tc.pending...)}.Stamp(metav1.NewTime(noon.Add(5 * time.Millisecond)))
			if tc.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tc.refused) {
					t.Fatalf("have %v, want %q", err, tc.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			again, err := Edit{User: "bob", Before: tc.before, After: have, Pending: pending(tc.pending...)}.Stamp(metav1.NewTime(noon))
			if diff := cmp.Diff(have, again); err != nil || diff != "" {
				t.Errorf("asked twice: %v (-once +twice)\n%s", err, diff)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	type list = []v1alpha1.Approval
	const robot = "system:serviceaccount:ci:robot"
	for name, tc := range map[string]struct {
		user          string
		before, after list
		pending       []string
		want          string
	}{
		"what waits is approved": {after: list{given("op-1", "bob", 0)}, pending: []string{"op-1"}},
		"what waits is rejected": {after: list{rejected("bob")}, pending: []string{"op-1"}},
		"a late one": {
			after: list{given("op-1", "bob", 0)}, pending: []string{"op-2"}, want: "spec.approvals[0]: no operation op-1 waits at gate online",
		},
		"nothing waits": {after: list{given("op-1", "bob", 0)}, want: "no operation waits for an approval"},
		"unstamped": {
			after: list{given("op-1", "", 0)}, pending: []string{"op-1"}, want: "admission writes both",
		},
		"stamped by a webhook that came later": {
			after: list{given("op-1", "ann", 0)}, pending: []string{"op-1"}, want: "admission writes both",
		},
		"a program": {
			user: robot, after: list{given("op-1", robot, 0)}, pending: []string{"op-1"}, want: "an operation is approved by people, and " + robot,
		},
		"another's approval is taken back": {before: list{given("op-1", "ann", 0)}, pending: []string{"op-1"}},
		"another's rejection is taken back": {
			before: list{rejected("ann")}, pending: []string{"op-1"}, want: "only ann can take back their rejection of operation op-1",
		},
		"another's rejection is turned": {
			before: list{rejected("ann")}, after: list{given("op-1", "bob", 0)}, pending: []string{"op-1"}, want: "only ann can take back",
		},
		"another's rejection of what waits no more": {before: list{rejected("ann")}, pending: []string{"op-2"}},
		"one's own rejection": {
			before: list{rejected("bob")}, after: list{given("op-1", "bob", 0)}, pending: []string{"op-1"},
		},
		"nothing changed": {before: list{given("op-1", "ann", 0)}, after: list{given("op-1", "ann", 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			user := tc.user
			if user == "" {
				user = "bob"
			}
			have := Edit{User: user, Before: tc.before, After: tc.after, Pending: pending(tc.pending...)}.Refusal()
			if tc.want == "" && have != "" || !strings.Contains(have, tc.want) {
				t.Errorf("have %q, want %q", have, tc.want)
			}
		})
	}
}

func TestTouched(t *testing.T) {
	object := func(spec map[string]any, meta map[string]any) map[string]any {
		return map[string]any{"metadata": meta, "spec": spec, "status": map[string]any{"phase": len(spec)}}
	}
	before := object(map[string]any{"replicas": float64(3), "gates": []any{}}, map[string]any{
		"name": "a", "resourceVersion": "1", "labels": map[string]any{"a": "b"},
	})
	after := object(map[string]any{"replicas": float64(4), "paused": true}, map[string]any{
		"name": "a", "resourceVersion": "2", "finalizers": []any{"x"},
	})
	want := []string{"metadata.finalizers", "metadata.labels", "spec.paused", "spec.replicas"}
	if diff := cmp.Diff(want, Touched(before, after)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if have := Touched(before, before); have != nil {
		t.Errorf("nothing changed, have %v", have)
	}
}

// An empty object in a spec says something, where an empty list is none: spec.rollback of a Migration has no field that must be set.
func TestAnEmptyObjectIsTouched(t *testing.T) {
	spec := func(fields map[string]any) map[string]any { return map[string]any{"spec": fields} }
	absent, there := spec(map[string]any{}), spec(map[string]any{"rollback": map[string]any{}, "approvals": []any{}})
	for _, pair := range [][2]map[string]any{{absent, there}, {there, absent}} {
		if diff := cmp.Diff([]string{"spec.rollback"}, Touched(pair[0], pair[1])); diff != "" {
			t.Errorf("touched (-want +got):\n%s", diff)
		}
	}
}
