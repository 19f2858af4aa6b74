package fleet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// of is a set whose servers all serve.
func of(replicas int32) *world {
	w := newWorld(replicas)
	w.settle()
	return w
}

func (w *world) server(n int) *Member { return &w.servers[n-1] }

func TestScale(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*world)
		create  []string
		offline []string
	}{
		"nothing to do": {change: func(*world) {}},
		"more": {
			change: func(w *world) { w.set.Spec.Replicas = ptr.To[int32](6) },
			create: []string{"payments-5", "payments-6"},
		},
		"fewer, the newest of equals": {
			change:  func(w *world) { w.set.Spec.Replicas = ptr.To[int32](2) },
			offline: []string{"payments-4", "payments-3"},
		},
		"fewer, the named first": {change: func(w *world) {
			w.set.Spec.Replicas, w.set.Spec.ServersToDelete = ptr.To[int32](3), []string{"payments-2"}
		}, offline: []string{"payments-2"}},
		"named, and none is too much": {change: func(w *world) { w.set.Spec.ServersToDelete = []string{"payments-2"} }},
		"fewer, who does not serve first": {change: func(w *world) {
			w.set.Spec.Replicas = ptr.To[int32](1)
			w.server(1).Status.Phase = v1alpha1.ServerUnknown
			w.server(2).Status.Machine = nil
			w.server(3).Status.Phase = v1alpha1.ServerDeploying
		}, offline: []string{"payments-2", "payments-1", "payments-3"}},
		"fewer, those that the partition keeps last": {change: func(w *world) {
			w.set.Spec.Replicas, w.set.Spec.UpdateStrategy.Partition = ptr.To[int32](2), ptr.To(intstr.FromInt32(1))
			w.server(2).Revision, w.server(4).Revision = "before", "before"
		}, offline: []string{"payments-2", "payments-3"}},
		"all": {
			change:  func(w *world) { w.set.Spec.Replicas = ptr.To[int32](0) },
			offline: []string{"payments-4", "payments-3", "payments-2", "payments-1"},
		},
		"paused": {change: func(w *world) { w.set.Spec.Replicas, w.set.Spec.Paused = ptr.To[int32](6), true }},
		"paused, and one was given up": {change: func(w *world) {
			w.set.Spec.Paused = true
			w.server(2).Spec.Offline, w.server(2).GivenUp = true, true
		}, create: []string{"payments-5"}},
		"a set that is deleted": {change: func(w *world) {
			w.set.Spec.Replicas, w.set.DeletionTimestamp = ptr.To[int32](6), &metav1.Time{Time: noon}
		}},
		"the status was lost": {change: func(w *world) {
			w.set.Spec.Replicas, w.set.Status = ptr.To[int32](5), v1alpha1.VMReplicaSetStatus{}
		}, create: []string{"payments-5"}},
		"removals hang: machines do not pile up": {change: func(w *world) {
			w.set.Spec.Replicas = ptr.To[int32](4)
			for n := 1; n <= 3; n++ {
				w.server(n).Spec.Offline = true
			}
		}, create: []string{"payments-5"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := of(4)
			tc.change(w)
			plan := Decide(w.input())
			var offline []string
			for _, mark := range plan.Offline {
				offline = append(offline, mark.Server)
			}
			if diff := cmp.Diff([][]string{tc.create, tc.offline}, [][]string{plan.Create, offline}); diff != "" {
				t.Errorf("create, offline (-want +have)\n%s", diff)
			}
		})
	}
}

func TestRoll(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		want   []string
		wake   time.Duration
	}{
		"one at a time": {change: func(*world) {}, want: []string{"payments-1"}},
		"one is away already": {
			change: func(w *world) { w.condition(w.server(3), v1alpha1.ConditionReady, metav1.ConditionFalse) },
			want:   []string{"payments-3"},
		},
		"two may be away": {
			change: func(w *world) { w.set.Spec.UpdateStrategy.MaxUnavailable = ptr.To(intstr.FromString("50%")) },
			want:   []string{"payments-1", "payments-2"},
		},
		"a percentage never is none": {
			change: func(w *world) { w.set.Spec.UpdateStrategy.MaxUnavailable = ptr.To(intstr.FromString("1%")) },
			want:   []string{"payments-1"},
		},
		"all are held":     {change: func(w *world) { w.set.Spec.UpdateStrategy.Partition = ptr.To(intstr.FromString("100%")) }},
		"paused":           {change: func(w *world) { w.set.Spec.Paused = true }},
		"on deletion only": {change: func(w *world) { w.set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete }},
		"one was granted, and nobody looked since": {change: func(w *world) {
			w.server(1).Revision, w.server(1).Current, w.server(1).GrantedAt = "r2", false, w.now
		}},
		"the last one ended a minute ago, and five must pass": {change: func(w *world) {
			w.set.Spec.UpdateStrategy.IntervalSeconds = 300
			w.server(1).Revision, w.server(1).GrantedAt = "r2", w.now.Add(-2*time.Minute)
			w.condition(w.server(1), v1alpha1.ConditionReady, metav1.ConditionFalse)
			w.now = w.now.Add(-time.Minute)
			w.condition(w.server(1), v1alpha1.ConditionReady, metav1.ConditionTrue)
			w.now = w.now.Add(time.Minute)
		}, wake: 4 * time.Minute},
		"with an interval one at a time, whatever may be away": {change: func(w *world) {
			w.set.Spec.UpdateStrategy.IntervalSeconds, w.set.Spec.UpdateStrategy.MaxUnavailable = 300, ptr.To(intstr.FromInt32(3))
		}, want: []string{"payments-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := of(4)
			w.revision = "r2"
			tc.change(w)
			plan := Decide(w.input())
			if diff := cmp.Diff(tc.want, plan.Grant); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
			if tc.wake != 0 && !plan.Wake.Equal(w.now.Add(tc.wake)) {
				t.Errorf("wakes at %v, want in %v", plan.Wake.Sub(w.now), tc.wake)
			}
		})
	}
}

func TestAnotherMachine(t *testing.T) {
	w := of(3)
	w.set.Spec.Template.Spec.Machine.Image = "debian-13"
	if plan := Decide(w.input()); len(plan.Offline) != 0 || Held(w.input()) != 3 {
		t.Errorf("held: %+v, %d", plan.Offline, Held(w.input()))
	}
	w.set.Spec.UpdateStrategy.OnMachineChange = v1alpha1.MachineChangeReplace
	if plan := Decide(w.input()); !slices.Equal(plan.Offline, []Mark{{Server: "payments-1", Reason: MachineChanged}}) || Held(w.input()) != 0 {
		t.Errorf("replaced: %+v", plan.Offline)
	}
	w.settle()
	if want := []string{"payments-4", "payments-5", "payments-6"}; !slices.Equal(w.names(), want) {
		t.Errorf("%v, want %v", w.names(), want)
	}
}

// TestNoMachineCanBeMade: nobody is made, and nobody gives way to one that cannot be. All else goes on, and that a machine is missed is
// said only where one is.
func TestNoMachineCanBeMade(t *testing.T) {
	otherMachine := func(w *world) {
		w.set.Spec.Template.Spec.Machine.Image, w.set.Spec.UpdateStrategy.OnMachineChange = "debian-13", v1alpha1.MachineChangeReplace
	}
	for name, tc := range map[string]struct {
		change func(*world)
		want   Plan
	}{
		"none is to be made": {change: func(*world) {}},
		"one is missing":     {change: func(w *world) { w.set.Spec.Replicas = ptr.To[int32](5) }, want: Plan{Unmakeable: true}},
		"one is missing, whose number is on record": {change: func(w *world) {
			w.set.Spec.Replicas, w.set.Status.UnmadeSlots = ptr.To[int32](5), []int64{7}
		}, want: Plan{Unmakeable: true, LastSlot: 7, Unmade: []int64{7}}},
		"one is missing, and the set is paused": {change: func(w *world) {
			w.set.Spec.Replicas, w.set.Spec.Paused = ptr.To[int32](5), true
		}},
		"fewer": {
			change: func(w *world) { w.set.Spec.Replicas = ptr.To[int32](3) },
			want:   Plan{Offline: []Mark{{Server: "payments-4", Reason: ScaledIn}}},
		},
		"another environment": {change: func(w *world) { w.revision = "r2" }, want: Plan{Grant: []string{"payments-1"}}},
		"one is missing, and another environment": {change: func(w *world) {
			w.set.Spec.Replicas, w.revision = ptr.To[int32](5), "r2"
			w.condition(w.server(3), v1alpha1.ConditionReady, metav1.ConditionFalse)
		}, want: Plan{Unmakeable: true, Grant: []string{"payments-3"}}},
		"another machine, which is held": {change: func(w *world) { w.set.Spec.Template.Spec.Machine.Image = "debian-13" }},
		"another machine":                {change: otherMachine, want: Plan{Unmakeable: true}},
		"another machine, which one has, and another environment": {change: func(w *world) {
			otherMachine(w)
			w.server(4).Spec.Machine, w.revision = w.set.Spec.Template.Spec.Machine, "r2"
		}, want: Plan{Unmakeable: true, Grant: []string{"payments-4"}}},
		"another machine, and on deletion only": {change: func(w *world) {
			otherMachine(w)
			w.set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete
		}},
		"one is lost": {change: func(w *world) {
			w.lose(w.server(2))
			w.server(2).Fenced = true
		}, want: Plan{Offline: []Mark{{Server: "payments-2", Reason: Unreachable, GivenUp: true}}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := of(4)
			tc.change(w)
			in := w.input()
			in.NoMachine = true
			have := Decide(in)
			have.Remediation = metav1.Condition{}
			tc.want.LastSlot = max(tc.want.LastSlot, 4)
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestFailover(t *testing.T) {
	w := of(4)
	w.lose(w.server(2))
	if plan := Decide(w.input()); len(plan.Offline) != 0 || !slices.Equal(plan.Fence, []string{"payments-2"}) {
		t.Errorf("before it is fenced: %+v", plan)
	}
	w.settle()
	if want := []string{"payments-1", "payments-3", "payments-4", "payments-5"}; !slices.Equal(w.names(), want) {
		t.Errorf("%v, want %v", w.names(), want)
	}
	w.lose(w.server(1))
	w.lose(w.server(2))
	plan := Decide(w.input())
	remediation := plan.Remediation
	if remediation.Status != metav1.ConditionFalse || remediation.Message != "2 of 4 are unhealthy, and 1 may be" ||
		len(plan.Fence)+len(plan.Offline) != 0 {
		t.Errorf("half of all are sick: %+v", plan)
	}
}

// TestFailoverWaitsForTheOneBefore, and says for whom: a machine that cannot be removed holds up every further failover.
func TestFailoverWaitsForTheOneBefore(t *testing.T) {
	w := of(10)
	stuck := w.server(2)
	stuck.GivenUp, stuck.Spec.Offline = true, true
	w.lose(w.server(4))
	plan := Decide(w.input())
	const want = "1 of 10 are unhealthy, and 4 may be; not given up before those that were are gone (failover.maxInFlight): payments-4, " +
		"after payments-2"
	if len(plan.Fence)+len(plan.Offline) != 0 || plan.Remediation.Message != want {
		t.Errorf("%+v", plan)
	}
}

// One server fewer is wanted, and one is given up: that is the one.
func TestFailoverWhileScalingIn(t *testing.T) {
	w := of(4)
	w.lose(w.server(2))
	w.server(2).Fenced = true
	w.set.Spec.Replicas = ptr.To[int32](3)
	want := []Mark{{Server: "payments-2", Reason: Unreachable, GivenUp: true}}
	if plan := Decide(w.input()); !slices.Equal(plan.Offline, want) {
		t.Errorf("%+v, want %+v", plan.Offline, want)
	}
	w.settle()
	if want := []string{"payments-1", "payments-3", "payments-4"}; !slices.Equal(w.names(), want) {
		t.Errorf("%v, want %v", w.names(), want)
	}
}

func TestFailoverAsks(t *testing.T) {
	for name, gates := range map[string][]gatev1alpha1.Gate{
		"a gate of its own": {{Name: "give-up", Stage: gatev1alpha1.StageFailover}},
		"by the policy":     nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := of(4)
			w.set.Spec.Failover.Policy, w.set.Spec.Failover.Fence, w.set.Spec.Gates = v1alpha1.FailoverManual, v1alpha1.FenceNever, gates
			w.lose(w.server(2))
			w.settle()
			waiting := w.set.Status.PendingApprovals
			if len(waiting) != 1 || waiting[0].Summary != "payments-2 is given up (Replace); 3 of 4 serve" || len(w.servers) != 4 {
				t.Fatalf("waiting %+v", waiting)
			}
			since := waiting[0].Since
			w.settle()
			if !w.set.Status.PendingApprovals[0].Since.Equal(since) {
				t.Error("it waits anew at every look")
			}
			w.set.Spec.Approvals = []gatev1alpha1.Approval{{
				Gate: waiting[0].Gate, OperationID: waiting[0].OperationID, Decision: gatev1alpha1.Approve, By: "ann", At: &metav1.Time{Time: w.now},
			}}
			w.settle()
			if want := []string{"payments-1", "payments-3", "payments-4", "payments-5"}; !slices.Equal(w.names(), want) {
				t.Errorf("%v, want %v", w.names(), want)
			}
		})
	}
}

// Given up without replacement: the set runs with one fewer, and lowering the template takes nothing twice.
func TestAbandon(t *testing.T) {
	w := of(5)
	w.set.Spec.Failover.OnUnrepairable = v1alpha1.Abandon
	said := func(what string, servers, abandoned int) {
		t.Helper()
		w.settle()
		if len(w.servers) != servers || int(AbandonedReplicas(w.input())) != abandoned {
			t.Errorf("%s: %v, %d abandoned; want %d and %d", what, w.names(), AbandonedReplicas(w.input()), servers, abandoned)
		}
	}
	for n := range 2 {
		w.lose(w.server(1))
		said(fmt.Sprintf("%d lost", n+1), 4-n, n+1)
	}
	w.set.Spec.Replicas = ptr.To[int32](4)
	said("lowered by one of two", 3, 1)
	w.set.Spec.Replicas = ptr.To[int32](3)
	said("lowered by both", 3, 0)
	w.set.Spec.Replicas = ptr.To[int32](5)
	said("five are wanted again", 5, 0)
}

// TestAbandonedBetweenTheWrites: the controller is killed when the entry is written and the server is not marked, and the federation lowers
// the set by it. Who goes on takes that server out, and lowers nothing by it again.
func TestAbandonedBetweenTheWrites(t *testing.T) {
	w := of(5)
	w.set.Spec.Failover.OnUnrepairable = v1alpha1.Abandon
	lost := w.server(1)
	w.lose(lost)
	name := lost.Name
	for step := 0; len(w.set.Status.Abandoned) == 0; step++ {
		if step > 5 {
			t.Fatal("nobody is given up")
		}
		w.each(name, func(m *Member) { m.Fenced = m.FenceTried })
		plan := Decide(w.input())
		if len(plan.Offline) > 0 {
			w.apply(plan, 1)
		} else {
			w.apply(plan, -1)
		}
	}
	w.set.Spec.Replicas = ptr.To[int32](4)
	w.settle()
	if got := w.names(); len(got) != 4 || slices.Contains(got, name) || AbandonedReplicas(w.input()) != 0 {
		t.Errorf("%v are left, %d abandoned; want four without %s, and none", got, AbandonedReplicas(w.input()), name)
	}
}
