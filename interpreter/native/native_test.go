package native

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter/default/native"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

const why = "Ready is False since 2026-11-28T10:00:00Z: ClusterNotReachable"

// TestStatusIsKarmadasWhereMembersCanBeAsked: then it is Karmada's own answer.
func TestStatusIsKarmadasWhereMembersCanBeAsked(t *testing.T) {
	karmada := native.NewDefaultInterpreter()
	counts := map[string][]string{
		"Job":                 {"active", "succeeded", "failed", "ready"},
		"PodDisruptionBudget": {"currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed", "observedGeneration"},
	}
	rapid.Check(t, func(t *rapid.T) {
		for _, f := range []*family.Family{Job(), PodDisruptionBudget()} {
			object := &unstructured.Unstructured{Object: map[string]any{
				"metadata": map[string]any{"name": "x", "namespace": "shop", "generation": int64(2)}, "spec": map[string]any{},
				"status": map[string]any{},
			}}
			object.SetGroupVersionKind(f.Kinds[0])
			var members []family.Member
			var items []workv1alpha2.AggregatedStatusItem
			for _, cluster := range []string{"a", "b", "c"}[:rapid.IntRange(0, 3).Draw(t, "members")] {
				m, item := family.Member{Cluster: cluster}, workv1alpha2.AggregatedStatusItem{ClusterName: cluster}
				if rapid.Bool().Draw(t, "reported") {
					m.Status = map[string]any{}
					for _, name := range counts[f.Kinds[0].Kind] {
						m.Status[name] = rapid.Int64Range(0, 3).Draw(t, name)
					}
					raw, err := json.Marshal(m.Status)
					if err != nil {
						t.Fatal(err)
					}
					item.Status = &runtime.RawExtension{Raw: raw}
				}
				members, items = append(members, m), append(items, item)
			}
			want, err := karmada.AggregateStatus(object.DeepCopy(), items)
			if err != nil {
				t.Fatal(err)
			}
			edits, err := f.AggregateStatus(object, members)
			if err != nil {
				t.Fatal(err)
			}
			have := object.DeepCopy()
			if err := edits.Apply(have.Object); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Object["status"], have.Object["status"]); diff != "" {
				t.Fatalf("%s of %v (-Karmada +ours)\n%s", f.Name, members, diff)
			}
		}
	})
}

// TestAMemberThatCannotBeAsked: its last status stands, nothing of it counts as healthy, and it is said; a Job that has ended there has
// ended.
func TestAMemberThatCannotBeAsked(t *testing.T) {
	for name, tc := range map[string]struct {
		family     *family.Family
		here, away string
		// want has our condition left out; message is that of our condition.
		want, message string
	}{
		"a Job that runs there": {
			family: Job(), here: "{succeeded: 2}", away: "{active: 3, succeeded: 1}", want: "{active: 3, succeeded: 3}",
			message: "b cannot be asked (" + why + "): its last status stands, and what became of its pods is not known",
		},
		"a Job that failed there": {
			family: Job(), here: "{succeeded: 2}",
			away: `{succeeded: 1, conditions: [{type: Failed, status: "True"}]}`, want: "{succeeded: 3}",
		},
		"a budget": {
			family: PodDisruptionBudget(), here: "{currentHealthy: 2, desiredHealthy: 1, expectedPods: 2, disruptionsAllowed: 1}",
			away: "{currentHealthy: 3, desiredHealthy: 2, expectedPods: 3, disruptionsAllowed: 1}",
			want: "{currentHealthy: 2, desiredHealthy: 3, expectedPods: 5, disruptionsAllowed: 1}",
			message: "b cannot be asked (" + why + "): its last status stands, and none of its pods counts as healthy or may be " +
				"disrupted",
		},
		"a status that is not one": {
			family: Job(), here: "{succeeded: 2}", away: "{active: many}", want: "{succeeded: 2}",
			message: "not counted: aggregatedStatus[b].status: json: cannot unmarshal string into Go struct field JobStatus.active of type int32",
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "x"}}}
			object.SetGroupVersionKind(tc.family.Kinds[0])
			members := []family.Member{
				{Cluster: "a", Status: fixture.Parse(t, tc.here).Map()}, {Cluster: "b", Status: fixture.Parse(t, tc.away).Map(), Unreachable: why},
			}
			edits, err := tc.family.AggregateStatus(object, members)
			if err != nil {
				t.Fatal(err)
			}
			away := fixture.Edited(t, object, edits)
			status := away["status"].(map[string]any)
			if have := reported(status); have != tc.message {
				t.Errorf("said: %q\nwant: %q", have, tc.message)
			}
			for field, want := range fixture.Parse(t, tc.want).Map() {
				if status[field] != want {
					t.Errorf("%s is %v, want %v", field, status[field], want)
				}
			}
			members[1].Unreachable, members[1].Status = "", members[0].Status
			back := &unstructured.Unstructured{Object: away}
			if edits, err = tc.family.AggregateStatus(back, members); err != nil {
				t.Fatal(err)
			}
			if have := reported(fixture.Edited(t, back, edits)["status"].(map[string]any)); have != "" {
				t.Errorf("said though it can be asked: %q", have)
			}
		})
	}
}

// reported is the message of our condition; empty where it is not there.
func reported(status map[string]any) string {
	conditions, _ := status["conditions"].([]any)
	for _, item := range conditions {
		if c := item.(map[string]any); c["type"] == "MembersReported" {
			return c["message"].(string)
		}
	}
	return ""
}
