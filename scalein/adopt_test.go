package scalein

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// adopter does one step of an adoption, as adopter.step does.
func (f *federation) adopter(members map[string]member) {
	seen := f.facts()
	seen.members = members
	next := nextAdoption(seen)
	switch next.do {
	case markTemplate:
		f.template.lowered, f.template.loweredFrom = adoptMark, ""
	case lowerBinding:
		f.binding.clusters, f.binding.suspended, f.binding.lowered = next.clusters, true, adoptMark
		f.binding.replicas, f.binding.loweredOf = f.binding.sum(), f.template.replicas
	case lowerTemplate:
		f.lowerTemplate(next.replicas)
	case release:
		f.binding.suspended, f.binding.lowered, f.binding.loweredOf = false, "", 0
	case endAdoption:
		f.template.lowered, f.template.loweredFrom = "", ""
		if f.template.adopt == v1alpha1.AdoptOnce {
			f.template.adopt = ""
		}
	}
}

// adopting is a federation whose members own their replicas and were scaled in by hand.
func adopting(wish string) (*federation, map[string]member) {
	f := newFederation(map[string]int32{"member1": 4, "member2": 3, "member3": 3})
	f.template.retained, f.template.adopt = true, wish
	return f, map[string]member{
		"member1": {uid: "a", replicas: 2}, "member2": {uid: "b", replicas: 5}, "member3": {uid: "c", replicas: 3},
	}
}

func TestAdoptionFollowsMembersDown(t *testing.T) {
	f, members := adopting(v1alpha1.AdoptOnce)
	for steps := 0; f.template.adopt != ""; steps++ {
		if steps > 10 {
			t.Fatalf("never settled: %+v", f.binding)
		}
		f.adopter(members)
		f.templateCache()
		f.detector() // A push of the template after every step.
		f.scheduler()
	}
	want := []clusterReplicas{{"member1", 2}, {"member2", 3}, {"member3", 3}}
	if diff := cmp.Diff(want, f.binding.clusters, cmp.AllowUnexported(clusterReplicas{})); diff != "" {
		t.Errorf("binding (-want +got):\n%s", diff)
	}
	if f.template.replicas != 8 || f.scheduled != 0 || f.binding.suspended || f.template.lowered != "" {
		t.Errorf("template %+v, scheduler ran %d times, binding %+v", f.template, f.scheduled, f.binding)
	}
}

// TestAnAdoptionIsBroughtToItsEnd: whoever takes the wish off in the middle, while the controller is down or not, never
// finds the scheduler held for good or the books apart.
func TestAnAdoptionIsBroughtToItsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, members := adopting(rapid.SampledFrom([]string{v1alpha1.AdoptOnce, v1alpha1.AdoptAlways}).Draw(t, "wish"))
		parts := []func(){func() { f.adopter(members) }, f.templateCache, f.detector, f.scheduler}
		for range rapid.IntRange(0, 20).Draw(t, "events") {
			parts[rapid.IntRange(0, len(parts)-1).Draw(t, "part")]()
		}
		f.template.adopt = ""
		for range 10 {
			// The predicate lets an adoption at work through; nobody would call the adopter for another.
			if f.template.lowered == adoptMark {
				f.adopter(members)
			}
			f.templateCache()
			f.detector()
			f.scheduler()
		}
		if f.binding.suspended || f.binding.lowered != "" || f.template.lowered != "" || f.template.replicas != f.binding.sum() ||
			f.scheduled != 0 {
			t.Fatalf("template %+v, binding %+v, scheduler ran %d times", f.template, f.binding, f.scheduled)
		}
	})
}

func TestAdoptionThatCannotBe(t *testing.T) {
	all := map[string]member{"member1": {uid: "a", replicas: 4}, "member2": {uid: "b", replicas: 3}}
	for name, tc := range map[string]struct {
		change      func(*facts)
		wantRefused bool
		wantReason  string
		wantSettled bool
		// wantWait begins with the reason.
		wantWait string
	}{
		"nothing differs": {change: func(*facts) {}, wantSettled: true, wantReason: v1alpha1.ReasonNothingToAdopt},
		"nobody asks":     {change: func(f *facts) { f.template.adopt, f.binding = "", nil }, wantSettled: true},
		"the control plane owns them": {
			change: func(f *facts) { f.template.retained = false }, wantRefused: true, wantReason: v1alpha1.ReasonAdoptionNotWritten,
		},
		"a FedHPA keeps the books": {
			change: func(f *facts) { f.owner = "FedHPA web" }, wantRefused: true, wantReason: v1alpha1.ReasonTargetOwned,
		},
		"cut off": {
			change: func(f *facts) { f.template.cutOff, f.binding.lowered = true, adoptMark }, wantRefused: true, wantReason: v1alpha1.ReasonCutOff,
		},
		"not propagated": {
			change: func(f *facts) { f.binding = nil }, wantRefused: true, wantReason: v1alpha1.ReasonAdoptionNotWritten,
		},
		"an order is at work": {
			change: func(f *facts) { f.template.request = "id;" }, wantWait: "TargetBusy: a PodScaleIn is at work on it: id",
		},
		"a member unknown is no zero": {
			change:   func(f *facts) { f.members["member1"] = member{unreachable: "timeout"} },
			wantWait: "MemberUnreachable: what members hold is not known: member1: timeout",
		},
		"a member that was not asked": {
			change:   func(f *facts) { delete(f.members, "member2") },
			wantWait: "MemberUnreachable: what members hold is not known: member2: it was not asked",
		},
		"Karmada is behind": {
			change:   func(f *facts) { f.template.replicas = 9 },
			wantWait: "WaitingForBinding: Karmada has not taken the template over into the ResourceBinding yet: 7 replicas there, 9 in the template",
		},
		"Karmada is behind what was lowered": {
			change: func(f *facts) {
				f.binding.lowered, f.binding.loweredOf, f.binding.replicas, f.template.loweredFrom = adoptMark, 9, 9, "9"
			},
			wantWait: "WaitingForBinding: Karmada has not taken the template over into the ResourceBinding yet: 9 replicas there, 7 in the template",
		},
		"Karmada has not seen what changed": {
			change: func(f *facts) {
				f.binding.lowered, f.binding.loweredOf, f.caughtUp = adoptMark, 7, false
			},
			wantWait: "WaitingForBinding: Karmada has not seen the template's last change yet",
		},
		"suspended": {
			change: func(f *facts) { f.binding.suspended = true }, wantWait: "BindingUnsettled: its scheduling is suspended by somebody else",
		},
		"evicted": {
			change: func(f *facts) { f.binding.evicting = true }, wantWait: "BindingUnsettled: Karmada is evicting it from a cluster",
		},
		"not divided": {
			change:   func(f *facts) { f.binding.observed = false },
			wantWait: "BindingUnsettled: the scheduler has not divided its 7 replicas yet (7 are)",
		},
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
			f.template.retained, f.template.adopt = true, v1alpha1.AdoptAlways
			f.members = map[string]member{}
			maps.Copy(f.members, all)
			tc.change(&f)
			got := nextAdoption(f)
			if got.do != nothing || got.refused != tc.wantRefused || got.reason != tc.wantReason || got.settled != tc.wantSettled {
				t.Errorf("nextAdoption() = %+v, want refused %v (%s), settled %v", got, tc.wantRefused, tc.wantReason, tc.wantSettled)
			}
			if have := strings.TrimSuffix(got.why+": "+got.waitsFor, ": "); have != tc.wantWait {
				t.Errorf("it waits for %q, want %q", have, tc.wantWait)
			}
		})
	}
}
