package aggregate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/family"
)

// reported is a member's status at the template's generation 3.
func reported(cluster string, status map[string]any) family.Member {
	for key, value := range map[string]any{"generation": int64(1), "observedGeneration": int64(1), "resourceTemplateGeneration": int64(3)} {
		if _, set := status[key]; !set {
			status[key] = value
		}
	}
	return family.Member{Cluster: cluster, Status: status}
}

func TestWhatFallsShortIsSaid(t *testing.T) {
	two := func(updated int64) map[string]any {
		return map[string]any{"replicas": int64(2), "updatedReplicas": updated}
	}
	with := func(status map[string]any, key string, value any) map[string]any {
		status[key] = value
		return status
	}
	for name, tc := range map[string]struct {
		members []family.Member
		want    []any
		// wantReplicas are those that are counted.
		wantReplicas int64
	}{
		"as asked": {members: []family.Member{reported("a", two(1)), reported("b", two(0)), reported("c", two(0))}, wantReplicas: 6},
		"a member created in mid-canary": {
			members: []family.Member{reported("a", two(1)), reported("b", two(0)), reported("c", with(two(2), CreatedWith, "5f"))},
			want: []any{map[string]any{"type": "RolloutAsAsked", "status": "False", "reason": "MoreUpdated",
				"message": "asked 1 of 6 updated, 3 are: a 1, c 2 (created with the new template)"}},
			wantReplicas: 6,
		},
		"nothing old runs: there is no rollout": {members: []family.Member{reported("a", two(2)), reported("b", two(2)), reported("c", two(2))}, wantReplicas: 6},
		"replicas on their way":                 {members: []family.Member{reported("a", two(2)), reported("b", two(0))}, wantReplicas: 4},
		"not all have taken it up":              {members: []family.Member{reported("a", two(2)), reported("b", two(0)), reported("c", with(two(0), "resourceTemplateGeneration", int64(2)))}, wantReplicas: 6},
		"a status that cannot be read is not all": {
			members: []family.Member{reported("a", two(0)), reported("b", with(two(0), "updatedReplicas", "many")), reported("c", two(0))},
			want: []any{map[string]any{"type": "MembersReported", "status": "False", "reason": "StatusUnreadable",
				"message": `not counted: aggregatedStatus[b].status.updatedReplicas: want a whole number, have "many"`}},
			wantReplicas: 4,
		},
		"a status that is no object": {
			members: []family.Member{reported("a", two(0)), {Cluster: "b", Unreadable: "aggregatedStatus[b].status: want an object, have 1"}},
			want: []any{map[string]any{"type": "MembersReported", "status": "False", "reason": "StatusUnreadable",
				"message": "not counted: aggregatedStatus[b].status: want an object, have 1"}},
			wantReplicas: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			template := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"generation": int64(3)}}}
			s := Begin(template, tc.members, "replicas", "updatedReplicas")
			s.Asked(1, 6)
			s.Conditions()
			edits, err := s.Edits()
			if err != nil {
				t.Fatal(err)
			}
			status := edits[0].Value.(map[string]any)
			have, _ := status["conditions"].([]any)
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("conditions (-want +have)\n%s", diff)
			}
			if status["replicas"] != tc.wantReplicas {
				t.Errorf("%v replicas, want %d", status["replicas"], tc.wantReplicas)
			}
		})
	}
}

// TestAFailureIsNotLost: one member's Progressing=False is the fleet's, for Progressing is good when True.
func TestAFailureIsNotLost(t *testing.T) {
	condition := func(status, reason string) []any {
		return []any{map[string]any{"type": "Progressing", "status": status, "reason": reason}}
	}
	s := Begin(&unstructured.Unstructured{Object: map[string]any{}}, []family.Member{
		reported("a", map[string]any{"conditions": condition("True", "CloneSetAvailable")}),
		reported("b", map[string]any{"conditions": condition("False", "ProgressDeadlineExceeded")}),
	})
	s.Conditions("Progressing")
	edits, err := s.Edits()
	if err != nil {
		t.Fatal(err)
	}
	want := condition("False", "ProgressDeadlineExceeded")
	if diff := cmp.Diff(want, edits[0].Value.(map[string]any)["conditions"]); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}
