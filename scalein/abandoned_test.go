package scalein

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	vm "github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// setMember is a set in one member: what it was told, and how its controller counts those it gave up (member/vm/fleet).
type setMember struct {
	replicas int32
	// observed is the number its status speaks of, kept how many it then keeps.
	observed, kept int32
	// given are the servers that were given up, each of so many.
	given []int32
}

// observe is the controller's look in the member.
func (m *setMember) observe() {
	left := map[int32]int32{}
	for _, then := range m.given {
		left[then]++
	}
	m.given = slices.DeleteFunc(m.given, func(then int32) bool { return then < m.replicas || then-left[then] >= m.replicas })
	m.observed, m.kept = m.replicas, m.replicas
	for _, then := range m.given {
		m.kept = min(m.kept, then-left[then])
	}
}

func (m *setMember) giveUp() {
	m.given = append(m.given, m.replicas)
	m.observe()
}

// sets is a federation whose template is a set.
type sets struct {
	*federation
	members map[string]*setMember
	// reported are the clusters that the template's status names.
	reported map[string]bool
}

func newSets(replicas map[string]int32) *sets {
	s := &sets{federation: newFederation(replicas), members: map[string]*setMember{}, reported: map[string]bool{}}
	s.order.Spec.TargetRef = v1alpha1.ScaleInTarget{APIVersion: setKind.GroupVersion().String(), Kind: setKind.Kind, Name: "web"}
	s.template.set = true
	for name, n := range replicas {
		s.members[name] = &setMember{replicas: n, observed: n, kept: n}
	}
	return s
}

// follow does one step of the adopter.
func (s *sets) follow() {
	seen := map[string]member{}
	for name, m := range s.members {
		share, _ := s.binding.of(name)
		switch {
		case !s.reported[name]:
			seen[name] = member{}
		case m.replicas != share || m.observed != m.replicas:
			seen[name] = member{unreachable: "its share has not arrived"}
		default:
			seen[name] = member{uid: name, replicas: m.kept}
		}
	}
	s.adopter(seen)
}

// report is Karmada's collection of the members' status.
func (s *sets) report() {
	s.reported = map[string]bool{}
	s.template.adopt = ""
	for name, m := range s.members {
		if len(m.given) > 0 {
			s.reported[name], s.template.adopt = true, v1alpha1.AdoptAlways
		}
	}
}

// dispatch brings every Work into its member.
func (s *sets) dispatch() {
	s.bindingController()
	for name, m := range s.members {
		m.replicas = s.works[name].replicas
	}
}

func (s *sets) observe() {
	for _, m := range s.members {
		m.observe()
	}
}

func (s *sets) settle() {
	for range 30 {
		s.report()
		s.follow()
		s.templateCache()
		s.detector()
		s.scheduler()
		s.dispatch()
		s.observe()
	}
}

// TestAbandonmentLowersItsOwnMember: 4/3/3 with one given up in the first becomes 3/3/3 of 9, though the controller is killed, and every
// other part comes late or twice, between any two writes. The scheduler divides nothing, and no server but that one is missed.
func TestAbandonmentLowersItsOwnMember(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]int32{"member1": 4, "member2": 3, "member3": 3}
		s := newSets(want)
		parts := []func(){s.follow, s.templateCache, s.detector, s.scheduler, s.dispatch, s.observe, s.report}
		for range rapid.IntRange(0, 3).Draw(t, "given up") {
			name := rapid.SampledFrom(slices.Sorted(maps.Keys(want))).Draw(t, "member")
			s.members[name].observe()
			if s.members[name].replicas == want[name] && s.members[name].kept == want[name] && want[name] > 1 {
				s.members[name].giveUp()
				want[name]--
			}
			for range rapid.IntRange(0, 20).Draw(t, "events") {
				parts[rapid.IntRange(0, len(parts)-1).Draw(t, "part")]()
			}
		}
		s.settle()
		var sum int32
		for name, n := range want {
			sum += n
			if share, _ := s.binding.of(name); share != n || s.members[name].kept != n || s.members[name].replicas != n {
				t.Errorf("%s: share %d, keeps %d of %d, want %d", name, share, s.members[name].kept, s.members[name].replicas, n)
			}
		}
		if s.template.replicas != sum || s.scheduled != 0 || s.binding.suspended || s.binding.lowered != "" || s.template.lowered != "" {
			t.Errorf("template %+v, binding %+v, scheduler ran %d times; want %d", s.template, s.binding, s.scheduled, sum)
		}
	})
}

// TestWhoScalesMeanwhileIsHeard: whenever a person scales the template while it is being lowered, their number stands in the end.
func TestWhoScalesMeanwhileIsHeard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSets(map[string]int32{"member1": 4, "member2": 3})
		s.members["member1"].giveUp()
		s.report()
		parts := []func(){s.follow, s.templateCache, s.detector, s.scheduler}
		begun := 0
		for ; s.binding.lowered == "" && begun < 3; begun++ { // the mark, then the binding
			s.follow()
		}
		if s.binding.lowered == "" {
			t.Fatal("nothing was lowered: the test no longer tests")
		}
		for range rapid.IntRange(0, 10).Draw(t, "events") {
			parts[rapid.IntRange(0, len(parts)-1).Draw(t, "part")]()
		}
		wish := rapid.Int32Range(8, 20).Draw(t, "wish")
		s.template.replicas = wish
		// Members have seen the lowered number: what they gave up is over.
		s.dispatch()
		s.observe()
		s.settle()
		if s.template.replicas != wish || s.binding.sum() != wish || s.binding.suspended || s.template.lowered != "" {
			t.Errorf("template %+v, binding %+v, want %d", s.template, s.binding, wish)
		}
	})
}

func TestAbandonmentThatIsNotFollowed(t *testing.T) {
	for name, tc := range map[string]struct {
		change     func(*facts)
		wantReason string
		want       string
	}{
		"the members own the replicas": {
			func(f *facts) { f.template.retained = true }, vm.ReasonAbandonedNotLowered, "lower spec.replicas there",
		},
		"an autoscaler": {
			func(f *facts) { f.owner = "FedHPA web" }, vm.ReasonAbandonedNotLowered, "FedHPA web sets the replicas",
		},
		"duplicated": {
			func(f *facts) { f.binding.divided = false }, vm.ReasonAbandonedNotLowered, "members cannot differ",
		},
		"cut off": {func(f *facts) { f.template.cutOff = true }, v1alpha1.ReasonCutOff, "the VMReplicaSet is cut off"},
		"all of them": {
			func(f *facts) {
				f.members["member1"], f.members["member2"] = member{uid: "a"}, member{uid: "b"}
			}, v1alpha1.ReasonNoReplicaLeft, "no replica at all",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newSets(map[string]int32{"member1": 4, "member2": 3}).facts()
			f.template.adopt = v1alpha1.AdoptAlways
			f.members = map[string]member{"member1": {uid: "a", replicas: 3}, "member2": {}}
			tc.change(&f)
			got := nextAdoption(f)
			if got.do != nothing || !got.refused || got.reason != tc.wantReason || !strings.Contains(got.message, tc.want) {
				t.Errorf("nextAdoption() = %+v, want %s, %q", got, tc.wantReason, tc.want)
			}
		})
	}
}

// TestWhatAMemberSaysOfItsSet: its count is taken of the number it was given and has observed, and of no other.
func TestWhatAMemberSaysOfItsSet(t *testing.T) {
	for name, tc := range map[string]struct {
		replicas, generation, observed, gone int64
		want                                 int32
		unknown                              bool
	}{
		"one is gone":           {replicas: 4, generation: 2, observed: 2, gone: 1, want: 3},
		"none":                  {replicas: 4, generation: 2, observed: 2, want: 4},
		"not observed yet":      {replicas: 4, generation: 3, observed: 2, gone: 1, unknown: true},
		"not arrived yet":       {replicas: 5, generation: 2, observed: 2, gone: 1, unknown: true},
		"more gone than it has": {replicas: 4, generation: 2, observed: 2, gone: 9, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			set := &unstructured.Unstructured{Object: map[string]any{
				"metadata": map[string]any{"name": "web", "uid": "u", "generation": tc.generation},
				"spec":     map[string]any{"replicas": tc.replicas},
				"status":   map[string]any{"observedGeneration": tc.observed, "abandonedReplicas": tc.gone},
			}}
			got, err := setFacts(set, 4)
			if (err != nil) != tc.unknown || got.replicas != tc.want {
				t.Errorf("%+v, %v, want %d, unknown %v", got, err, tc.want, tc.unknown)
			}
		})
	}
}
