package aggregate

import (
	"testing"
	"time"

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
		"nothing old runs: there is no rollout": {
			members: []family.Member{reported("a", two(2)), reported("b", two(2)), reported("c", two(2))}, wantReplicas: 6,
		},
		"replicas on their way": {members: []family.Member{reported("a", two(2)), reported("b", two(0))}, wantReplicas: 4},
		"not all have taken it up": {
			members: []family.Member{reported("a", two(2)), reported("b", two(0)),
				reported("c", with(two(0), "resourceTemplateGeneration", int64(2)))}, wantReplicas: 6,
		},
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
			s.Asked(Asked{Updated: 1, Total: 6, Held: true, Still: true})
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

// unreachable is a member that cannot be asked.
func unreachable(m family.Member) family.Member {
	m.Unreachable = "Ready is False since 2026-11-28T10:00:00Z: ClusterNotReachable"
	return m
}

// TestAnUnreachableMemberIsNotReady: what was ready when it was last heard of may not be now; how many replicas it has stands.
func TestAnUnreachableMemberIsNotReady(t *testing.T) {
	status := func() map[string]any {
		return map[string]any{
			"replicas": int64(3), "readyReplicas": int64(3), "availableReplicas": int64(3), "updatedReplicas": int64(3),
			"conditions": []any{
				map[string]any{"type": "Available", "status": "True", "reason": "MinimumAvailable"},
				map[string]any{"type": "FailedScale", "status": "False"},
			},
		}
	}
	template := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"generation": int64(3)}}}
	s := Begin(template, []family.Member{
		reported("a", status()), unreachable(reported("b", status())), unreachable(family.Member{Cluster: "c"}),
	},
		"replicas", "readyReplicas", "availableReplicas", "updatedReplicas")
	s.Conditions("Available")
	edits, err := s.Edits()
	if err != nil {
		t.Fatal(err)
	}
	have := edits[0].Value.(map[string]any)
	want := map[string]any{
		"observedGeneration": int64(0), "replicas": int64(6), "readyReplicas": int64(3), "availableReplicas": int64(3),
		"updatedReplicas": int64(6),
		"conditions": []any{
			map[string]any{"type": "Available", "status": "Unknown", "reason": "MemberUnreachable", "message": "b: True when it was last heard of"},
			// The bad is True, and nobody said so.
			map[string]any{"type": "FailedScale", "status": "False"},
			map[string]any{"type": "MembersReported", "status": "False", "reason": "MemberUnreachable", "message": "b cannot be asked " +
				"(Ready is False since 2026-11-28T10:00:00Z: ClusterNotReachable): its last status stands, and none of its replicas counts as ready"},
		},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

// whole are members of which each has all replicas.
func whole(members ...family.Member) []family.Member {
	for i := range members {
		members[i].Whole = true
	}
	return members
}

// TestMoreThanAskedOfEach: where each member has all replicas, each is asked; one member's surplus is not another's shortfall.
func TestMoreThanAskedOfEach(t *testing.T) {
	ten := func(updated int64) map[string]any {
		return map[string]any{"replicas": int64(10), "updatedReplicas": updated}
	}
	for name, tc := range map[string]struct {
		members []family.Member
		want    string
	}{
		"as asked": {members: whole(reported("a", ten(1)), reported("b", ten(1)))},
		"more in one, fewer in the other": {members: whole(reported("a", ten(2)), reported("b", ten(0))),
			want: "MoreUpdated: asked 1 of 10 updated in each member, 2 are: a 2"},
		"more in both": {members: whole(reported("a", ten(2)), reported("b", ten(1))),
			want: "MoreUpdated: asked 1 of 10 updated in each member, 3 are: a 2, b 1"},
		"fewer in one": {members: whole(reported("a", ten(1)), reported("b", ten(0))),
			want: "FewerUpdated: asked 1 of 10 updated in each member, 1 are: a 1 of 10 (10 not ready), b 0 of 10 (10 not ready)"},
		"nobody could say that each has all": {members: []family.Member{reported("a", ten(2)), reported("b", ten(0))}},
	} {
		t.Run(name, func(t *testing.T) {
			template := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"generation": int64(3)}}}
			s := Begin(template, tc.members, "replicas", "updatedReplicas")
			s.Asked(Asked{Updated: 1, Total: 10, Held: true})
			edits, err := s.Edits()
			if err != nil {
				t.Fatal(err)
			}
			have := ""
			list, _ := edits[0].Value.(map[string]any)["conditions"].([]any)
			for _, c := range list {
				have += word(c, "reason") + ": " + word(c, "message")
			}
			if have != tc.want {
				t.Errorf("said %q\nwant %q", have, tc.want)
			}
		})
	}
}

// TestFewerThanAskedIsSaid: by what is known of why.
func TestFewerThanAskedIsSaid(t *testing.T) {
	of := func(replicas, ready, updated int64) map[string]any {
		return map[string]any{
			"replicas": replicas, "readyReplicas": ready, "updatedReplicas": updated, "updateRevision": "web-b", "currentRevision": "web-a",
		}
	}
	old := func(m family.Member) family.Member {
		m.Status["resourceTemplateGeneration"] = int64(2)
		return m
	}
	all := Asked{Updated: 6, Total: 6}
	for name, tc := range map[string]struct {
		asked   Asked
		members []family.Member
		want    string
	}{
		"all updated": {asked: all, members: []family.Member{reported("a", of(3, 3, 3)), reported("b", of(3, 3, 3))}},
		"nobody yet":  {asked: all},
		"at the canary": {
			asked: Asked{Updated: 1, Total: 6, Held: true}, members: []family.Member{reported("a", of(3, 3, 1)), reported("b", of(3, 3, 0))},
		},
		"no canary comes": {asked: Asked{Updated: 1, Total: 6, Held: true}, members: []family.Member{
			reported("a", of(3, 3, 0)), reported("b", of(3, 3, 0)),
		},
			want: "asked 1 of 6 updated, 0 of revision web-b are: a 0 of 3, b 0 of 3"},
		"not ready": {asked: all, members: []family.Member{reported("a", of(3, 2, 1)), reported("b", of(3, 3, 3))},
			want: "asked 6 of 6 updated, 4 of revision web-b are: a 1 of 3 (1 not ready), b 3 of 3"},
		"one has not taken it up": {asked: all, members: []family.Member{reported("a", of(3, 3, 3)), old(reported("b", of(3, 3, 3)))},
			want: "asked 6 of 6 updated, 3 of revision web-b are: a 3 of 3, b 0 of 3 (has not taken the template up)"},
		"one cannot be asked": {asked: all, members: []family.Member{reported("a", of(3, 3, 3)), unreachable(old(reported("b", of(3, 3, 3))))},
			want: "asked 6 of 6 updated, 3 of revision web-b are: a 3 of 3, b 0 of 3 (cannot be asked)"},
		"one refuses it": {asked: all, members: []family.Member{reported("a", of(3, 3, 3)), {Cluster: "b", AppliedMessage: "denied by quota"}},
			want: "asked 6 of 6 updated, 3 of revision web-b are: a 3 of 3, b 0 of 0 (refused: denied by quota)"},
		"pods are missing": {asked: all, members: []family.Member{reported("a", of(3, 3, 3)), reported("b", of(2, 2, 2))},
			want: "asked 6 of 6 updated, 5 of revision web-b are: a 3 of 3, b 2 of 2"},
		"each has them all": {
			asked: Asked{Updated: 3, Total: 3}, members: []family.Member{reported("a", of(3, 3, 1)), reported("b", of(3, 3, 1))},
		},
		"each has them all, and is asked": {
			asked: Asked{Updated: 3, Total: 3}, members: whole(reported("a", of(3, 3, 3)), reported("b", of(3, 3, 1))),
			want: "asked 3 of 3 updated in each member, 4 of revision web-b are: a 3 of 3, b 1 of 3",
		},
		"each has them all, and all are updated": {
			asked: Asked{Updated: 3, Total: 3}, members: whole(reported("a", of(3, 3, 3)), reported("b", of(3, 3, 3))),
		},
		"each has them all, and its own number": {
			asked:   Asked{Updated: 20, Total: 20, MembersOwn: true},
			members: whole(reported("a", of(3, 3, 3)), reported("b", of(2, 2, 2))),
		},
		"stopped": {
			asked: Asked{Updated: 6, Total: 6, Still: true}, members: []family.Member{reported("a", of(3, 3, 0)), reported("b", of(3, 3, 0))},
		},
		"members have their own numbers": {
			asked: Asked{Updated: 20, Total: 20, MembersOwn: true}, members: []family.Member{reported("a", of(3, 3, 3)), reported("b", of(2, 2, 2))},
		},
		"their own, and one is behind": {asked: Asked{Updated: 20, Total: 20, MembersOwn: true}, members: []family.Member{
			reported("a", of(3, 3, 3)), reported("b", of(2, 2, 1)),
		},
			want: "asked 5 of 5 updated, 4 of revision web-b are: a 3 of 3, b 1 of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			template := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"generation": int64(3)}}}
			s := Begin(template, tc.members, "replicas", "updatedReplicas")
			s.Revisions()
			s.Asked(tc.asked)
			edits, err := s.Edits()
			if err != nil {
				t.Fatal(err)
			}
			have := ""
			list, _ := edits[0].Value.(map[string]any)["conditions"].([]any)
			for _, c := range list {
				if word(c, "type") == ConditionRolloutAsAsked && word(c, "reason") == ReasonFewerUpdated && word(c, "status") == "False" {
					have = word(c, "message")
				}
			}
			if have != tc.want {
				t.Errorf("said %q\nwant %q", have, tc.want)
			}
		})
	}
}

// TestSince: a rollout is said to stand still from when its number last changed, whatever else of it changes.
func TestSince(t *testing.T) {
	started := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	said := func(reason, message string) map[string]any {
		return map[string]any{"conditions": []any{
			map[string]any{"type": "Available", "status": "True"},
			map[string]any{"type": "RolloutAsAsked", "status": "False", "reason": reason, "message": message},
		}}
	}
	template := &unstructured.Unstructured{Object: map[string]any{}}
	for _, step := range []struct {
		reason, message string
		wantSince       time.Duration
	}{
		{"FewerUpdated", "asked 6 of 6 updated, 0 of revision b are: a 0 of 3, b 0 of 3", 0},
		{"FewerUpdated", "asked 6 of 6 updated, 0 of revision b are: a 0 of 3 (1 not ready), b 0 of 3", 0},
		{"FewerUpdated", "asked 8 of 8 updated, 0 of revision b are: a 0 of 5, b 0 of 3", 0},
		{"FewerUpdated", "asked 8 of 8 updated, 1 of revision b are: a 1 of 5, b 0 of 3", 3 * time.Minute},
		{"FewerUpdated", "asked 8 of 8 updated, 1 of revision c are: a 1 of 5, b 0 of 3", 4 * time.Minute},
		{"MoreUpdated", "asked 1 of 8 updated, 2 are: a 2", 5 * time.Minute},
		{"MoreUpdated", "asked 1 of 8 updated, 3 are: a 3", 5 * time.Minute},
		{"FewerUpdated", "asked 8 of 8 updated, 1 of revision c are: a 1 of 5, b 0 of 3", 7 * time.Minute},
	} {
		status := said(step.reason, step.message)
		Stamp(template, status, started)
		since := word(status["conditions"].([]any)[1], "lastTransitionTime")
		if want := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC).Add(step.wantSince).Format(time.RFC3339); since != want {
			t.Errorf("%s: since %s, want %s", step.message, since, want)
		}
		if word(status["conditions"].([]any)[0], "lastTransitionTime") != "" {
			t.Error("a member's condition was given a time")
		}
		template.Object["status"] = status
		started = started.Add(time.Minute)
	}
}

// TestTurned: a condition of the members that changes its status does so now, whatever time they gave: what is Unknown since a member is
// silent has been so for a moment, and not since that member began to say True.
func TestTurned(t *testing.T) {
	says := func(status string) map[string]any {
		return map[string]any{"conditions": []any{
			map[string]any{"type": "Available", "status": status, "lastTransitionTime": "2026-11-28T09:00:00Z"},
		}}
	}
	template := &unstructured.Unstructured{Object: map[string]any{}}
	for i, step := range []struct{ status, wantSince string }{
		{"True", "2026-11-28T09:00:00Z"}, // as the member says
		{"True", "2026-11-28T09:00:00Z"},
		{"Unknown", "2026-11-28T10:02:00Z"},
		{"Unknown", "2026-11-28T10:02:00Z"},
		{"True", "2026-11-28T10:04:00Z"},
		{"True", "2026-11-28T10:04:00Z"},
	} {
		status := says(step.status)
		Stamp(template, status, time.Date(2026, 11, 28, 10, i, 0, 0, time.UTC))
		if since := word(status["conditions"].([]any)[0], "lastTransitionTime"); since != step.wantSince {
			t.Errorf("%d: %s since %s, want %s", i, step.status, since, step.wantSince)
		}
		template.Object["status"] = status
	}
}
