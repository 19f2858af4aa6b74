package scalein

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// adoptionOf plays nextAdoption with Karmada's detector and scheduler in between until it has settled.
func adoptionOf(t *testing.T, f *federation, members map[string]member) {
	t.Helper()
	for range 10 {
		seen := f.facts()
		seen.members = members
		next := nextAdoption(seen)
		switch next.do {
		case lowerBinding:
			f.binding.clusters, f.binding.suspended, f.binding.lowered = next.clusters, true, adoptMark
			f.binding.replicas = f.binding.sum()
			f.detector() // A push of the template in between: the old total is back.
		case lowerTemplate:
			f.template.replicas = next.replicas
		case release:
			f.binding.suspended, f.binding.lowered = false, ""
		}
		if next.settled {
			return
		}
		f.detector()
		f.scheduler()
	}
	t.Fatalf("never settled: %+v", f.binding)
}

func TestAdoptionFollowsMembersDown(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 4, "member2": 3, "member3": 3})
	f.template.retained = true
	adoptionOf(t, f, map[string]member{
		"member1": {uid: "a", replicas: 2}, "member2": {uid: "b", replicas: 5}, "member3": {uid: "c", replicas: 3},
	})
	want := []clusterReplicas{{"member1", 2}, {"member2", 3}, {"member3", 3}}
	if diff := cmp.Diff(want, f.binding.clusters, cmp.AllowUnexported(clusterReplicas{})); diff != "" {
		t.Errorf("binding (-want +got):\n%s", diff)
	}
	if f.template.replicas != 8 || f.scheduled != 0 || f.binding.suspended {
		t.Errorf("template %d, scheduler ran %d times, binding %+v", f.template.replicas, f.scheduled, f.binding)
	}
}

func TestAdoptionThatCannotBe(t *testing.T) {
	all := map[string]member{"member1": {uid: "a", replicas: 4}, "member2": {uid: "b", replicas: 3}}
	for name, tc := range map[string]struct {
		change      func(*facts)
		wantRefused bool
		wantReason  string
		wantSettled bool
	}{
		"nothing differs":             {change: func(*facts) {}, wantSettled: true},
		"the control plane owns them": {change: func(f *facts) { f.template.retained = false }, wantRefused: true, wantReason: v1alpha1.ReasonAdoptionNotWritten},
		"a FedHPA keeps the books":    {change: func(f *facts) { f.owner = "FedHPA web" }, wantRefused: true, wantReason: v1alpha1.ReasonTargetOwned},
		"not propagated":              {change: func(f *facts) { f.binding = nil }, wantRefused: true, wantReason: v1alpha1.ReasonAdoptionNotWritten},
		"an order is at work":         {change: func(f *facts) { f.template.request = "id;" }},
		"a member unknown is no zero": {change: func(f *facts) { f.members["member1"] = member{unreachable: "timeout"} }},
		"nothing would be left": {
			change: func(f *facts) {
				f.members["member1"] = member{uid: "a"}
				f.members["member2"] = member{uid: "b"}
			},
			wantRefused: true, wantReason: v1alpha1.ReasonNoReplicaLeft,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(map[string]int32{"member1": 4, "member2": 3}).facts()
			f.template.retained = true
			f.members = map[string]member{}
			for name, m := range all {
				f.members[name] = m
			}
			tc.change(&f)
			got := nextAdoption(f)
			if got.do != nothing || got.refused != tc.wantRefused || got.reason != tc.wantReason || got.settled != tc.wantSettled {
				t.Errorf("nextAdoption() = %+v, want refused %v (%s), settled %v", got, tc.wantRefused, tc.wantReason, tc.wantSettled)
			}
		})
	}
}
