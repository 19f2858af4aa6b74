package fleet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// world is a set whose servers do what is asked, and a controller that may be killed between any two writes.
type world struct {
	set      *v1alpha1.VMReplicaSet
	servers  []Member
	revision string
	now      time.Time
	// born counts the servers that were ever made.
	born int
	// noMachine: what a machine is made of is missing.
	noMachine bool
}

func newWorld(replicas int32) *world {
	set := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "payments"}}
	set.Spec.Replicas = &replicas
	set.Spec.UpdateStrategy = v1alpha1.UpdateStrategy{
		Type:            v1alpha1.RollingUpdate,
		MaxUnavailable:  ptr.To(intstr.FromInt32(1)),
		OnMachineChange: v1alpha1.MachineChangeHold,
	}
	set.Spec.Failover = v1alpha1.Failover{
		Policy: v1alpha1.FailoverAuto, MaxInFlight: 1, MaxUnhealthy: ptr.To(intstr.FromString("40%")),
		OnUnrepairable: v1alpha1.Replace, Fence: v1alpha1.FenceRequired,
	}
	set.Spec.Template.Spec.Machine = v1alpha1.Machine{Driver: "http", Image: "debian"}
	return &world{set: set, revision: "r1", now: noon}
}

func (w *world) input() Input {
	return Input{Set: w.set, Revision: w.revision, Servers: w.servers, Now: w.now, NoMachine: w.noMachine}
}

// apply writes a plan in its order, and is killed after so many writes; negative: never.
func (w *world) apply(plan Plan, writes int) {
	next := func() bool { writes--; return writes != -1 }
	if !next() {
		return
	}
	w.set.Status.LastSlot, w.set.Status.Abandoned, w.set.Status.PendingApprovals = plan.LastSlot, plan.Abandoned, plan.PendingApprovals
	w.set.Status.UnmadeSlots = plan.Unmade
	for _, name := range plan.Create {
		if !next() {
			return
		}
		w.born++
		server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(fmt.Sprintf("uid-%d", w.born))}}
		server.Spec.Machine = w.set.Spec.Template.Spec.Machine
		w.servers = append(w.servers, Member{Server: server, Revision: w.revision})
	}
	for _, name := range plan.Grant {
		if !next() {
			return
		}
		w.each(name, func(m *Member) { m.Revision, m.Current, m.GrantedAt = w.revision, false, w.now })
	}
	for _, name := range plan.Fence {
		if !next() {
			return
		}
		w.each(name, func(m *Member) { m.FenceTried = true })
	}
	for _, mark := range plan.Offline {
		if !next() {
			return
		}
		w.each(mark.Server, func(m *Member) { m.Spec.Offline, m.GivenUp = true, mark.GivenUp })
	}
}

func (w *world) each(name string, change func(*Member)) {
	for i := range w.servers {
		if w.servers[i].Name == name {
			change(&w.servers[i])
		}
	}
}

func (w *world) condition(m *Member, kind string, status metav1.ConditionStatus) {
	apimeta.SetStatusCondition(&m.Status.Conditions,
		metav1.Condition{Type: kind, Status: status, Reason: "Seen", LastTransitionTime: metav1.NewTime(w.now)})
}

// serve makes a server what was asked of it.
func (w *world) serve(m *Member) {
	m.Status.Machine = &v1alpha1.MachineStatus{State: v1alpha1.MachineRunning}
	m.Status.Phase, m.Current = v1alpha1.ServerReady, true
	w.condition(m, v1alpha1.ConditionReady, metav1.ConditionTrue)
	w.condition(m, v1alpha1.ConditionFailoverDue, metav1.ConditionFalse)
}

func (w *world) lose(m *Member) {
	m.Status.Phase = v1alpha1.ServerUnknown
	m.Status.Operation = &v1alpha1.Operation{Sequence: 7}
	w.condition(m, v1alpha1.ConditionReady, metav1.ConditionFalse)
	w.condition(m, v1alpha1.ConditionFailoverDue, metav1.ConditionTrue)
}

// leave removes what is offline.
func (w *world) leave() {
	w.servers = slices.DeleteFunc(w.servers, func(m Member) bool { return m.Spec.Offline })
}

// settle plans and writes until nothing is left to do, with servers that do what they are asked.
func (w *world) settle() {
	for range 200 {
		w.apply(Decide(w.input()), -1)
		w.leave()
		for i := range w.servers {
			m := &w.servers[i]
			if m.FenceTried {
				m.Fenced = true
			}
			if m.Status.Phase != v1alpha1.ServerUnknown {
				w.serve(m)
			}
		}
		w.now = w.now.Add(time.Minute)
	}
}

func (w *world) names() []string {
	var out []string
	for _, m := range w.servers {
		out = append(out, m.Name)
	}
	slices.Sort(out)
	return out
}

func (w *world) happen(t *rapid.T) {
	if n := len(w.servers); n > 0 {
		m := &w.servers[rapid.IntRange(0, n-1).Draw(t, "server")]
		switch rapid.IntRange(0, 5).Draw(t, "fate") {
		case 0, 1:
			w.serve(m)
		case 2:
			w.lose(m)
		case 3:
			m.Fenced = m.FenceTried
		case 4:
			w.condition(m, v1alpha1.ConditionHealthy, metav1.ConditionFalse)
		}
	}
	switch rapid.IntRange(0, 9).Draw(t, "event") {
	case 0:
		w.set.Spec.Replicas = ptr.To(rapid.Int32Range(0, 6).Draw(t, "replicas"))
	case 1:
		w.revision = rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(t, "revision")
	case 2:
		w.leave()
	case 3:
		ways := []v1alpha1.OnUnrepairable{v1alpha1.Replace, v1alpha1.Abandon}
		w.set.Spec.Failover.OnUnrepairable = rapid.SampledFrom(ways).Draw(t, "unrepairable")
	case 4:
		w.set.Spec.Failover.Policy = rapid.SampledFrom([]v1alpha1.FailoverPolicy{
			v1alpha1.FailoverAuto,
			v1alpha1.FailoverManual,
			v1alpha1.FailoverDisabled,
		}).Draw(t, "policy")
	case 5:
		w.set.Spec.Template.Spec.Machine.Image = rapid.SampledFrom([]string{"debian", "other"}).Draw(t, "image")
	case 6:
		w.set.Spec.UpdateStrategy.OnMachineChange = rapid.SampledFrom([]v1alpha1.OnMachineChange{
			v1alpha1.MachineChangeHold,
			v1alpha1.MachineChangeReplace,
		}).Draw(t, "change")
	case 7:
		for _, p := range w.set.Status.PendingApprovals {
			w.set.Spec.Approvals = append(w.set.Spec.Approvals, gatev1alpha1.Approval{
				Gate: p.Gate, OperationID: p.OperationID, Decision: gatev1alpha1.Approve, By: "ann", At: &metav1.Time{Time: w.now},
			})
		}
	case 8:
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
	case 9:
		w.noMachine = !w.noMachine
	}
}

// Whatever happens, and wherever the controller is killed: no name is made twice, nobody serves beyond what is asked, servers that
// serve leave for what we do at most as many at a time as may, and nobody is given up unfenced or beyond the budget. Nobody is made, or
// gives way, while no machine can be made, and nobody is said to be missed then while one can.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Int32Range(0, 6).Draw(t, "replicas"))
		made := map[string]bool{}
		for range rapid.IntRange(1, 50).Draw(t, "events") {
			w.happen(t)
			in := w.input()
			plan := Decide(in)
			judge(t, in, plan, made)
			w.apply(plan, rapid.IntRange(-1, 6).Draw(t, "killed after"))
			for _, name := range w.names() {
				made[name] = true
			}
			if again := Decide(w.input()); len(w.input().active())+len(again.Create) > max(w.input().desired(), len(w.input().active())) {
				t.Fatalf("%d active, %d more planned, %d asked", len(w.input().active()), len(again.Create), w.input().desired())
			}
		}
	})
}

func judge(t *rapid.T, in Input, plan Plan, made map[string]bool) {
	for _, name := range plan.Create {
		if made[name] {
			t.Fatalf("%s is made again", name)
		}
	}
	replaced := slices.ContainsFunc(plan.Offline, func(m Mark) bool { return m.Reason == MachineChanged })
	if made := len(plan.Create) > 0 || replaced; made && in.NoMachine || plan.Unmakeable && !in.NoMachine {
		t.Fatalf("no machine can be made: %v, and the plan is %+v", in.NoMachine, plan)
	}
	limit := max(1, in.inFlightLimit())
	if len(plan.Create) > 0 && len(in.Servers)+len(plan.Create) > in.desired()+limit {
		t.Fatalf("%d servers and %d more, of %d asked", len(in.Servers), len(plan.Create), in.desired())
	}
	ready := map[string]bool{}
	given := in.inFlight()
	for _, m := range in.Servers {
		ready[m.Name] = m.ready()
		for _, mark := range plan.Offline {
			if mark.Server != m.Name || !mark.GivenUp {
				continue
			}
			given++
			if !m.Fenced && in.Set.Spec.Failover.Fence == v1alpha1.FenceRequired {
				t.Fatalf("%s is given up, and may still run", m.Name)
			}
			if in.Set.Spec.Failover.Policy != v1alpha1.FailoverAuto && len(in.Set.Spec.Approvals) == 0 {
				t.Fatalf("%s is given up, and nobody was asked", m.Name)
			}
		}
	}
	if given > limit && given > in.inFlight() {
		t.Fatalf("%d are given up at once", given)
	}
	disturbed := 0
	for _, name := range plan.Grant {
		if ready[name] {
			disturbed++
		}
	}
	for _, mark := range plan.Offline {
		if mark.Reason == MachineChanged && ready[mark.Server] {
			disturbed++
		}
	}
	away := 0
	for _, m := range in.active() {
		if !m.ready() || m.Revision == in.Revision && !m.Current {
			away++
		}
	}
	if disturbed > 0 && disturbed+away > in.unavailable() {
		t.Fatalf("%d are away, %d more by our doing, and %d may be", away, disturbed, in.unavailable())
	}
}

// When it is over, servers do what they are asked, and nobody is lost: as many as asked serve, all with what is asked.
func TestEverythingEndsWell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Int32Range(1, 6).Draw(t, "replicas"))
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			w.happen(t)
			w.apply(Decide(w.input()), rapid.IntRange(-1, 6).Draw(t, "killed after"))
		}
		for i := range w.servers {
			w.servers[i].Status.Phase = v1alpha1.ServerReady
			w.condition(&w.servers[i], v1alpha1.ConditionHealthy, metav1.ConditionTrue)
		}
		w.noMachine = false
		w.settle()
		in := w.input()
		if have := len(w.servers); have != in.desired() {
			t.Fatalf("%v, want %d", w.names(), in.desired())
		}
		for _, m := range w.servers {
			if m.Revision != w.revision || !m.ready() || in.mustReplace(m) {
				t.Fatalf("%s has revision %s of %s, machine %+v, ready %v", m.Name, m.Revision, w.revision, m.Spec.Machine, m.ready())
			}
		}
	})
}
