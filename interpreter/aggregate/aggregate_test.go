package aggregate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/family"
)

// member reports a status made from the template's generation 3.
func member(cluster string, status map[string]any) family.Member {
	if status != nil {
		status["generation"], status["observedGeneration"], status["resourceTemplateGeneration"] = int64(7), int64(7), int64(3)
	}
	return family.Member{Cluster: cluster, Status: status}
}

func said(kind, status, reason, message, since string) map[string]any {
	return map[string]any{"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}
}

func TestConditions(t *testing.T) {
	with := func(cluster string, conditions ...any) family.Member {
		return member(cluster, map[string]any{"conditions": conditions})
	}
	for name, tc := range map[string]struct {
		members []family.Member
		want    []any
		wantErr string
	}{
		"none": {members: []family.Member{member("member1", map[string]any{})}},
		"one member fails": {
			members: []family.Member{
				with("member1", said("FailedScale", "False", "", "", "2026-01-03T00:00:00Z")),
				with("member2", said("FailedScale", "True", "Quota", "no room", "2026-01-02T00:00:00Z")),
			},
			want: []any{
				map[string]any{
					"type": "FailedScale", "status": "True", "reason": "Quota", "message": "member2: no room",
					"lastTransitionTime": "2026-01-02T00:00:00Z",
				},
			},
		},
		"two fail alike, one otherwise": {
			members: []family.Member{
				with("member1", said("FailedScale", "True", "Quota", "no room", "2026-01-02T00:00:00Z")),
				with("member2", said("FailedScale", "True", "Webhook", "refused", "2026-01-04T00:00:00Z")),
				with("member3", said("FailedScale", "True", "Quota", "no room", "2026-01-03T00:00:00Z")),
			},
			want: []any{
				map[string]any{
					"type": "FailedScale", "status": "True", "reason": "Quota", "message": "member1, member3: no room; member2: refused",
					"lastTransitionTime": "2026-01-04T00:00:00Z",
				},
			},
		},
		"good needs all": {
			members: []family.Member{
				with("member1", said("Available", "True", "Enough", "", "")),
				with("member2", said("Available", "False", "TooFew", "1 of 3", "")),
			},
			want: []any{map[string]any{"type": "Available", "status": "False", "reason": "TooFew", "message": "member2: 1 of 3"}},
		},
		"good is unknown while a member has not said": {
			members: []family.Member{with("member1", said("Available", "True", "Enough", "", "")), member("member2", nil)},
			want:    []any{map[string]any{"type": "Available", "status": "Unknown"}},
		},
		"no condition": {
			members: []family.Member{with("member1", "text")},
			wantErr: "aggregatedStatus[member1].status.conditions[0]: want an object",
		},
		"a reason that is none": {
			members: []family.Member{with("member1", map[string]any{"type": "A", "reason": int64(1)})},
			wantErr: "aggregatedStatus[member1].status.conditions[0].reason: want a string",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := conditions(tc.members, "Available")
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMessagesAreBounded(t *testing.T) {
	long := strings.Repeat("é", maxMessage)
	got, err := conditions([]family.Member{member("member1", map[string]any{"conditions": []any{said("FailedScale", "True", "", long, "")}})})
	if err != nil {
		t.Fatal(err)
	}
	message := got[0].(map[string]any)["message"].(string)
	if len(message) > maxMessage || !strings.HasSuffix(message, "...") || strings.ToValidUTF8(message, "?") != message {
		t.Errorf("a message of %d bytes", len(message))
	}
}

func TestObservedGeneration(t *testing.T) {
	template := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"generation": int64(3)}, "status": map[string]any{"observedGeneration": int64(2)},
	}}
	current := member("member1", map[string]any{})
	older := member("member2", map[string]any{})
	older.Status["resourceTemplateGeneration"] = int64(2)
	behind := member("member3", map[string]any{})
	behind.Status["observedGeneration"] = int64(6)
	for name, tc := range map[string]struct {
		members []family.Member
		want    int64
	}{
		"no members":               {want: 3},
		"all have it":              {members: []family.Member{current, current}, want: 3},
		"one has an older one":     {members: []family.Member{current, older}, want: 2},
		"one has not looked yet":   {members: []family.Member{current, behind}, want: 2},
		"one has not reported yet": {members: []family.Member{current, member("member4", nil)}, want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := observedGeneration(template, tc.members)
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("observedGeneration %d, want %d", got, tc.want)
			}
		})
	}
}

func TestReflect(t *testing.T) {
	observed := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"generation": int64(7), "annotations": map[string]any{"resourcetemplate.karmada.io/generation": "3"}},
		"status":   map[string]any{"replicas": int64(2), "unknown": map[string]any{"kept": true}},
	}}
	got, err := Reflect(observed)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"replicas": int64(2), "unknown": map[string]any{"kept": true}, "generation": int64(7), "resourceTemplateGeneration": int64(3),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, added := observed.Object["status"].(map[string]any)["generation"]; added {
		t.Error("the member's object was changed")
	}
	observed.SetAnnotations(map[string]string{"release.argosy.dev/revision": "r2"})
	if got, err := Reflect(observed); err != nil || got["releaseRevision"] != "r2" {
		t.Errorf("of revision %v, want r2; error %v", got["releaseRevision"], err)
	}
	observed.SetAnnotations(map[string]string{"interpreter.argosy.dev/template": "5f"})
	for seen, want := range map[int64]any{6: nil, 7: "5f"} { // of 6 its numbers are of the template before
		observed.Object["status"] = map[string]any{"observedGeneration": seen}
		if got, err := Reflect(observed); err != nil || got[UpdatedTemplate] != want {
			t.Errorf("of generation %d: what is updated is of template %v, want %v; error %v", seen, got[UpdatedTemplate], want, err)
		}
	}
	observed.SetAnnotations(map[string]string{"resourcetemplate.karmada.io/generation": "three"})
	if _, err := Reflect(observed); err == nil ||
		!strings.Contains(err.Error(), "metadata.annotations[resourcetemplate.karmada.io/generation]") {
		t.Errorf("error %v, want one that names the annotation", err)
	}
}
