package scalein

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

// federation is a model of what stands around the controller: Karmada's detector, scheduler, binding controller and
// execution controller, the interpreter's Retain, and OpenKruise in each member. Each is a step that may come at any time,
// late, or twice.
type federation struct {
	order    *v1alpha1.PodScaleIn
	now      time.Time
	template template
	image    int
	binding  division
	// cached is the template as Karmada's detector and binding controller last saw it; written is what the detector last made the
	// binding from.
	cached, written template
	works           map[string]work
	kruise          map[string]*kruiseMember

	// deleted are the pods that OpenKruise deleted, by name; scheduled counts the scheduler's runs.
	deleted   []string
	scheduled int
	refusals  int
	lowerings int
	// step is the controller's last one.
	step step
}

type kruiseMember struct {
	replicas     int32
	podsToDelete []string
	delivered    string
	pods         map[string]bool
	created      int
}

func newFederation(replicas map[string]int32, remove ...string) *federation {
	f := &federation{
		now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), works: map[string]work{}, kruise: map[string]*kruiseMember{},
		order: &v1alpha1.PodScaleIn{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "order", UID: types.UID("id-1")}},
	}
	f.order.CreationTimestamp = metav1.Time{Time: f.now}
	f.order.Spec.TargetRef = v1alpha1.ScaleInTarget{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"}
	f.binding.divided, f.binding.observed = true, true
	for _, name := range slices.Sorted(maps.Keys(replicas)) {
		f.binding.clusters = append(f.binding.clusters, clusterReplicas{name, replicas[name]})
		m := &kruiseMember{replicas: replicas[name], pods: map[string]bool{}}
		for i := range replicas[name] {
			m.pods[fmt.Sprintf("%s-pod-%d", name, i)] = true
		}
		f.kruise[name] = m
		f.works[name] = work{replicas: replicas[name]}
	}
	f.template.replicas = f.binding.sum()
	f.binding.replicas, f.cached, f.written = f.template.replicas, f.template, f.template
	for _, name := range remove {
		cluster, _, _ := strings.Cut(name, "-pod-")
		f.order.Spec.Pods = append(f.order.Spec.Pods, v1alpha1.PodReference{Cluster: cluster, Name: name})
	}
	return f
}

func (f *federation) facts() facts {
	t, b := f.template, f.binding
	b.clusters = slices.Clone(b.clusters)
	seen := facts{
		order: f.order.DeepCopy(), now: f.now, template: &t, binding: &b, works: maps.Clone(f.works), members: map[string]member{},
		caughtUp: f.written.loweredFrom == f.template.loweredFrom,
	}
	for name, k := range f.kruise {
		m := member{uid: name + "-uid", delivered: k.delivered, pods: map[string]pod{}}
		for p := range k.pods {
			m.pods[p] = pod{owner: m.uid, ready: true}
		}
		seen.members[name] = m
	}
	return seen
}

// controller does one step of ours, as Reconciler does.
func (f *federation) controller() {
	if f.order.Status.CompletionTime != nil {
		if leftover(f.facts()) {
			f.tidy()
		}
		return
	}
	seen := f.facts()
	s := next(seen)
	f.step = s
	id := f.order.Status.RequestID
	switch s.do {
	case announce:
		f.template.request = s.request
	case lowerBinding:
		f.binding.clusters = lowered(f.binding.clusters, s.plan)
		f.binding.replicas, f.binding.suspended, f.binding.lowered = f.binding.sum(), true, id
	case lowerTemplate:
		f.template.lowered = id
		f.lowerTemplate(s.replicas)
	case release:
		f.binding.suspended, f.binding.lowered = false, id+released
	}
	f.order.Status = settle(seen, s)
}

func (f *federation) tidy() {
	if f.binding.lowered == f.order.Status.RequestID {
		f.binding.suspended = false
	}
	f.binding.lowered, f.template.request = "", ""
	f.template.lowered, f.template.loweredFrom = "", ""
}

// lowerTemplate notes which version it lowered: here each has a number of its own.
func (f *federation) lowerTemplate(replicas int32) {
	f.lowerings++
	f.template.replicas, f.template.loweredFrom = replicas, strconv.Itoa(f.lowerings)
}

// detector takes the replicas of the template, as its cache has it, into the binding; it never touches the clusters.
func (f *federation) detector() {
	f.binding.replicas, f.binding.observed, f.written = f.cached.replicas, false, f.cached
}

// scheduler divides when the sums differ, giving to and taking from the first cluster: any other choice would do.
func (f *federation) scheduler() {
	if f.binding.suspended {
		return
	}
	f.binding.observed = true
	if f.binding.sum() != f.binding.replicas {
		f.scheduled++
		f.binding.clusters[0].replicas += f.binding.replicas - f.binding.sum()
	}
}

// bindingController writes the Works from the binding and its own, perhaps old, view of the template.
func (f *federation) bindingController() {
	for _, c := range f.binding.clusters {
		f.works[c.name] = work{request: f.cached.request, replicas: c.replicas}
	}
}

func (f *federation) templateCache() { f.cached = f.template }

// execution brings a Work into a member in one update, through Retain and OpenKruise's webhook.
func (f *federation) execution(cluster string) {
	w, m := f.works[cluster], f.kruise[cluster]
	toDelete, delivered := m.podsToDelete, m.delivered
	if w.request != "" {
		request, err := v1alpha1.ParseScaleInRequest(w.request)
		if err != nil {
			panic(err)
		}
		if names, ok := request.Deliver(cluster, w.replicas, m.delivered); ok {
			toDelete, delivered = append(slices.Clone(toDelete), names...), request.ID
		}
	}
	for _, name := range toDelete {
		if !m.pods[name] && !slices.Contains(m.podsToDelete, name) {
			f.refusals++
			w.failure = "find pod " + name + " failed"
			f.works[cluster] = w
			return
		}
	}
	m.replicas, m.podsToDelete, m.delivered = w.replicas, toDelete, delivered
}

// openKruise deletes the named pods, then meets the replicas: it picks the last of the names, as a ranking would.
func (f *federation) openKruise(cluster string) {
	m := f.kruise[cluster]
	for _, name := range m.podsToDelete {
		if m.pods[name] {
			delete(m.pods, name)
			f.deleted = append(f.deleted, name)
		}
	}
	m.podsToDelete = nil
	for int32(len(m.pods)) < m.replicas {
		m.created++
		m.pods[fmt.Sprintf("%s-new-%d", cluster, m.created)] = true
	}
	for int32(len(m.pods)) > m.replicas {
		names := slices.Sorted(maps.Keys(m.pods))
		victim := names[len(names)-1]
		delete(m.pods, victim)
		f.deleted = append(f.deleted, victim)
	}
}

// parts are everything that can happen next.
func (f *federation) parts() []func() {
	parts := []func(){f.controller, f.detector, f.scheduler, f.bindingController, f.templateCache}
	for _, name := range slices.Sorted(maps.Keys(f.kruise)) {
		parts = append(parts, func() { f.execution(name) }, func() { f.openKruise(name) })
	}
	return parts
}

// settleDown lets everything happen in turn until nothing is left to do.
func (f *federation) settleDown() {
	for range 40 {
		f.now = f.now.Add(time.Second)
		for _, cluster := range slices.Sorted(maps.Keys(f.kruise)) {
			f.execution(cluster)
			f.openKruise(cluster)
		}
		f.controller()
		f.templateCache()
		f.detector()
		f.scheduler()
		f.bindingController()
	}
}

func (f *federation) counts() map[string]int32 {
	out := map[string]int32{}
	for name, m := range f.kruise {
		out[name] = int32(len(m.pods))
	}
	return out
}

func TestNamedPodsGoAndOnlyThose(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 4, "member2": 3, "member3": 3}, "member1-pod-0", "member1-pod-2", "member2-pod-1")
	f.settleDown()
	if f.order.Status.Phase != v1alpha1.PhaseSucceeded {
		t.Fatalf("phase %s: %+v", f.order.Status.Phase, f.order.Status.Conditions)
	}
	slices.Sort(f.deleted)
	if diff := cmp.Diff([]string{"member1-pod-0", "member1-pod-2", "member2-pod-1"}, f.deleted); diff != "" {
		t.Errorf("pods deleted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int32{"member1": 2, "member2": 2, "member3": 3}, f.counts()); diff != "" {
		t.Errorf("replicas (-want +got):\n%s", diff)
	}
	if f.scheduled != 0 || f.template.replicas != 7 || f.binding.sum() != 7 || f.binding.suspended {
		t.Errorf("scheduler ran %d times, template %d, binding %+v", f.scheduled, f.template.replicas, f.binding)
	}
	if f.template.request+f.template.lowered+f.binding.lowered != "" {
		t.Errorf("left behind: template %+v, binding %+v", f.template, f.binding)
	}
}

// TestAnyOrderOfEvents lets every part come at random, with pushes of the template (which make Karmada look again at
// everything) in between. Whatever comes when, the pods deleted are the pods named.
func TestAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := map[string]int32{}
		var remove []string
		for _, cluster := range []string{"member1", "member2", "member3"} {
			sizes[cluster] = int32(rapid.IntRange(1, 5).Draw(t, cluster))
			for i := range sizes[cluster] {
				if rapid.Bool().Draw(t, "remove") {
					remove = append(remove, fmt.Sprintf("%s-pod-%d", cluster, i))
				}
			}
		}
		total := sizes["member1"] + sizes["member2"] + sizes["member3"]
		if len(remove) == 0 || int32(len(remove)) == total {
			return
		}
		f := newFederation(sizes, remove...)
		for range rapid.IntRange(0, 120).Draw(t, "events") {
			f.now = f.now.Add(time.Second)
			parts := append(f.parts(), func() { f.image++; f.detector() })
			parts[rapid.IntRange(0, len(parts)-1).Draw(t, "part")]()
		}
		f.settleDown()
		if f.order.Status.Phase != v1alpha1.PhaseSucceeded {
			t.Fatalf("phase %s after %+v", f.order.Status.Phase, f.step)
		}
		slices.Sort(f.deleted)
		slices.Sort(remove)
		if diff := cmp.Diff(remove, f.deleted); diff != "" {
			t.Fatalf("pods deleted (-want +got):\n%s", diff)
		}
		want := maps.Clone(sizes)
		for _, name := range remove {
			cluster, _, _ := strings.Cut(name, "-pod-")
			want[cluster]--
		}
		if diff := cmp.Diff(want, f.counts()); diff != "" {
			t.Fatalf("replicas (-want +got):\n%s", diff)
		}
		if f.scheduled != 0 || f.refusals != 0 || f.binding.suspended || f.template.replicas != f.binding.sum() {
			t.Fatalf("scheduler ran %d times, %d updates refused, template %d, binding %+v", f.scheduled, f.refusals, f.template.replicas, f.binding)
		}
	})
}

// TestANameThatVanishesOnItsWay is the first trap: OpenKruise refuses the whole update, images too, for a name that is gone.
func TestANameThatVanishesOnItsWay(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 4, "member2": 3}, "member1-pod-0", "member1-pod-1")
	for f.order.Status.Phase != v1alpha1.PhaseFollowing {
		f.controller()
		f.templateCache()
		f.detector()
		f.scheduler()
		f.bindingController()
	}
	delete(f.kruise["member1"].pods, "member1-pod-0") // Evicted by somebody else just now.
	f.execution("member1")
	if f.refusals != 1 {
		t.Fatalf("%d updates refused: the trap is not set", f.refusals)
	}
	f.settleDown()
	if f.order.Status.Phase != v1alpha1.PhaseSucceeded || f.refusals > 2 {
		t.Errorf("phase %s, %d updates refused: the member stands still", f.order.Status.Phase, f.refusals)
	}
	if got := f.counts()["member1"]; got != 2 {
		t.Errorf("member1 holds %d pods, want 2", got)
	}
}

// TestADeliveredNameIsNotPushedAgain is the second trap: OpenKruise removes finished names, and refuses them as new ones.
func TestADeliveredNameIsNotPushedAgain(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 4, "member2": 3}, "member1-pod-0")
	for len(f.deleted) == 0 {
		f.settleOnce()
	}
	for range 5 {
		f.bindingController()
		f.execution("member1")
	}
	if f.refusals != 0 || f.kruise["member1"].podsToDelete != nil {
		t.Errorf("%d updates refused, podsToDelete %v", f.refusals, f.kruise["member1"].podsToDelete)
	}
}

func (f *federation) settleOnce() {
	f.controller()
	f.templateCache()
	f.detector()
	f.scheduler()
	f.bindingController()
	for _, cluster := range slices.Sorted(maps.Keys(f.kruise)) {
		f.execution(cluster)
		f.openKruise(cluster)
	}
}

// TestReplicasChangedWhileLowering: a person scales the template between our two writes; what was removed is taken off
// the new number, and the scheduler hands out the difference once.
func TestReplicasChangedWhileLowering(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 4, "member2": 3}, "member2-pod-0")
	for f.step.do != lowerBinding {
		f.controller()
		f.templateCache()
		f.detector()
		f.scheduler()
		f.bindingController()
	}
	f.template.replicas += 2
	f.settleDown()
	if f.template.replicas != 8 || f.binding.sum() != 8 || f.scheduled != 1 {
		t.Errorf("template %d, binding %+v, scheduler ran %d times", f.template.replicas, f.binding, f.scheduled)
	}
	if diff := cmp.Diff(map[string]int32{"member1": 6, "member2": 2}, f.counts()); diff != "" {
		t.Errorf("replicas (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"member2-pod-0"}, f.deleted); diff != "" {
		t.Errorf("pods deleted (-want +got):\n%s", diff)
	}
}
