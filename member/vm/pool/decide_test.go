package pool_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/pool"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// made is a Server under construction.
type made struct{ *v1alpha1.Server }

func MakeServer(name string) made {
	s := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{v1alpha1.LabelSet: "web"}}}
	s.Spec.LoadBalancers = []v1alpha1.LoadBalancer{{Name: "public", Driver: "service", Pool: "web", Port: 8443}}
	s.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}}
	return made{s}
}

func (m made) Obj() *v1alpha1.Server { return m.Server }

func (m made) Phase(phase v1alpha1.ServerPhase, row string) made {
	m.Status.Phase = phase
	m.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: row}}
	return m
}

func (m made) Task(kind v1alpha1.TaskType, state v1alpha1.TaskState) made {
	m.Status.Tasks = append(m.Status.Tasks, v1alpha1.Task{ID: string(kind), Type: kind, State: state})
	return m
}

// Was in the pool, in a state since so long ago.
func (m made) Was(state v1alpha1.AttachmentState, ago time.Duration) made {
	m.Status.LoadBalancers = append(m.Status.LoadBalancers, v1alpha1.Attachment{
		Name: "public", Driver: "service", Pool: "web", State: state, Address: "10.0.0.1", Port: 8443, Weight: ptr.To[int32](100),
		Since: &metav1.Time{Time: now.Add(-ago)},
	})
	return m
}

func (m made) Addresses(addresses ...corev1.NodeAddress) made {
	m.Status.Addresses = addresses
	return m
}

func (m made) With(edit func(*v1alpha1.Server)) made {
	edit(m.Server)
	return m
}

// Serving is Ready and in the pool.
func (m made) Serving() made {
	return m.Phase(v1alpha1.ServerReady, v1alpha1.ReasonServing).
		Task(v1alpha1.TaskAttachLoadBalancer, v1alpha1.TaskSucceeded).Was(v1alpha1.Attached, time.Hour)
}

// Sick left Ready for what was seen from outside, while in the pool.
func (m made) Sick() made {
	return m.Phase(v1alpha1.ServerUnknown, v1alpha1.ReasonUnreachable).
		Task(v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskRunning).Was(v1alpha1.Attached, time.Hour)
}

func decide(servers ...*v1alpha1.Server) pool.Output {
	return pool.Decide(pool.Input{Key: pool.Key{Driver: "service", Pool: "web"}, Servers: servers, Now: now})
}

func member(weight int32, draining bool) []balance.Member {
	return []balance.Member{{ID: "web-1.public", Address: "10.0.0.1", Port: 8443, Weight: weight, Draining: draining}}
}

func TestDecideOne(t *testing.T) {
	attach, drain, detach := v1alpha1.TaskAttachLoadBalancer, v1alpha1.TaskDrainLoadBalancer, v1alpha1.TaskDetachLoadBalancer
	pending, running, done, skipped := v1alpha1.TaskPending, v1alpha1.TaskRunning, v1alpha1.TaskSucceeded, v1alpha1.TaskSkipped
	ready := func() made { return MakeServer("web-1").Phase(v1alpha1.ServerReady, v1alpha1.ReasonServing) }
	deploying := func() made {
		return MakeServer("web-1").Phase(v1alpha1.ServerDeploying, v1alpha1.ReasonReleaseChanging)
	}
	for name, tc := range map[string]struct {
		server made
		want   []balance.Member
		wake   time.Duration
		says   string
	}{
		"new":                           {server: MakeServer("web-1")},
		"its turn to come in":           {server: ready().Task(attach, running), want: member(100, false)},
		"waits before its gate":         {server: ready().Task(attach, pending)},
		"in it":                         {server: ready().Task(attach, done).Was(v1alpha1.Attached, time.Hour), want: member(100, false)},
		"its turn, and not Ready":       {server: deploying().Task(attach, running)},
		"left out by a person":          {server: ready().Task(attach, skipped)},
		"in it, and its new turn waits": {server: deploying().Task(drain, pending).Was(v1alpha1.Attached, 0), want: member(100, false)},
		"drains":                        {server: deploying().Task(drain, running).Was(v1alpha1.Attached, 0), want: member(100, true)},
		"drained, and about to leave": {
			server: deploying().Task(drain, done).Task(detach, pending).Was(v1alpha1.Draining, 0), want: member(100, true),
		},
		"leaves":                          {server: deploying().Task(drain, done).Task(detach, running).Was(v1alpha1.Draining, 0)},
		"left, and its operation goes on": {server: deploying().Task(drain, done).Task(detach, done).Was(v1alpha1.Detached, 0)},
		"drains that never was in it":     {server: deploying().Task(drain, running)},
		"detaching put aside by a person": {server: deploying().Task(detach, skipped).Was(v1alpha1.Attached, 0), want: member(100, false)},
		"died while it came in":           {server: deploying().Was(v1alpha1.Attaching, 0)},
		"comes in, asked again":           {server: ready().Task(attach, running).Was(v1alpha1.Attaching, 0), want: member(100, false)},
		"under grey release": {
			server: ready().Task(attach, running).With(func(s *v1alpha1.Server) { s.Spec.TrafficWeight = ptr.To[int32](20) }),
			want:   member(20, false),
		},
		"with a weight of its own": {
			server: ready().Task(attach, running).With(func(s *v1alpha1.Server) { s.Spec.LoadBalancers[0].Weight = ptr.To[int32](0) }),
			want:   member(0, false),
		},
		"no address": {server: ready().Task(attach, running).Addresses(), says: "the machine has no address that a load balancer could reach"},
		"at this very machine": {
			server: ready().Task(attach, running).Addresses(corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}),
			says:   "the machine has no address that a load balancer could reach",
		},
		"its address is not said for a moment": {server: MakeServer("web-1").Serving().Addresses(), want: member(100, false)},
		"the internal address first": {
			server: ready().Task(attach, running).Addresses(
				corev1.NodeAddress{Type: corev1.NodeHostName, Address: "web-1"}, corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: "192.0.2.1"},
				corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}),
			want: member(100, false),
		},
		"the spec names another pool now": {
			server: MakeServer("web-1").Serving().With(func(s *v1alpha1.Server) { s.Spec.LoadBalancers[0].Pool = "other" }), want: member(100, true),
		},
		"and it drains there": {
			server: ready().Was(v1alpha1.Draining, 10*time.Second).With(func(s *v1alpha1.Server) { s.Spec.LoadBalancers = nil }),
			want:   member(100, true), wake: 20 * time.Second,
		},
		"and leaves it": {
			server: ready().Was(v1alpha1.Draining, 30*time.Second).With(func(s *v1alpha1.Server) { s.Spec.LoadBalancers = nil }),
		},
		"of another clock that is ahead": {
			server: ready().Was(v1alpha1.Draining, -time.Hour).With(func(s *v1alpha1.Server) { s.Spec.LoadBalancers = nil }),
			want:   member(100, true), wake: 30 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := decide(tc.server.Obj())
			if diff := cmp.Diff(tc.want, out.Members()); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			if tc.says != "" && (len(out.Entries) != 1 || out.Entries[0].Trouble != tc.says) {
				t.Errorf("says %+v, want %q", out.Entries, tc.says)
			}
			switch {
			case tc.wake == 0 && !out.Wake.IsZero(), tc.wake != 0 && !out.Wake.Equal(now.Add(tc.wake)):
				t.Errorf("wakes at %s, want in %s", out.Wake, tc.wake)
			}
		})
	}
}

// TestWhoLooksSick: a few leave; where too many look sick at once nobody does, but for those whose machine surely does not run.
func TestWhoLooksSick(t *testing.T) {
	fleet := func(sick, well int) []*v1alpha1.Server {
		var out []*v1alpha1.Server
		for i := range sick + well {
			m := MakeServer(fmt.Sprintf("web-%02d", i))
			if i < sick {
				out = append(out, m.Sick().Obj())
			} else {
				out = append(out, m.Serving().Obj())
			}
		}
		return out
	}
	for name, tc := range map[string]struct {
		sick, well int
		limit      *intstr.IntOrString
		stopped    bool
		want       int
	}{
		"one of three":                    {sick: 1, well: 2, want: 2},
		"two of three":                    {sick: 2, well: 1, want: 3},
		"four of ten":                     {sick: 4, well: 6, want: 6},
		"five of ten":                     {sick: 5, well: 5, want: 10},
		"all of ten":                      {sick: 10, want: 10},
		"the only one":                    {sick: 1, want: 0},
		"as many as the set allows":       {sick: 9, well: 1, limit: ptr.To(intstr.FromString("90%")), want: 1},
		"more than the set allows":        {sick: 3, well: 7, limit: ptr.To(intstr.FromInt32(2)), want: 10},
		"machines that surely do not run": {sick: 10, stopped: true, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			in := pool.Input{
				Key: pool.Key{Driver: "service", Pool: "web"}, Servers: fleet(tc.sick, tc.well), Now: now,
				MaxUnhealthy: map[string]intstr.IntOrString{},
			}
			if tc.limit != nil {
				in.MaxUnhealthy["web"] = *tc.limit
			}
			for _, s := range in.Servers {
				if tc.stopped {
					s.Status.Machine = &v1alpha1.MachineStatus{State: v1alpha1.MachineStopped}
				}
			}
			out := pool.Decide(in)
			if have := len(out.Members()); have != tc.want {
				t.Errorf("%d stay in the pool, want %d", have, tc.want)
			}
			for _, e := range out.Entries {
				if e.Kept && e.Trouble == "" {
					t.Errorf("%s is kept, and nobody is told why", e.ID())
				}
			}
		})
	}

	// Another set in the same pool is judged by itself.
	other := MakeServer("api-1").Sick().With(func(s *v1alpha1.Server) { s.Labels[v1alpha1.LabelSet] = "api" })
	if out := decide(append(fleet(0, 9), other.Obj())...); len(out.Members()) != 9 {
		t.Errorf("%d members, want the nine of the other set", len(out.Members()))
	}
}

func TestTask(t *testing.T) {
	for name, tc := range map[string]struct {
		server made
		want   map[v1alpha1.TaskType]pool.Progress
	}{
		"no load balancer": {
			server: MakeServer("web-1").With(func(s *v1alpha1.Server) { s.Spec.LoadBalancers = nil }),
			want: map[v1alpha1.TaskType]pool.Progress{
				v1alpha1.TaskRecordLoadBalancer: {Done: true}, v1alpha1.TaskAttachLoadBalancer: {Done: true},
				v1alpha1.TaskDrainLoadBalancer: {Done: true}, v1alpha1.TaskDetachLoadBalancer: {Done: true},
			},
		},
		"not recorded": {
			server: MakeServer("web-1"),
			want: map[v1alpha1.TaskType]pool.Progress{
				v1alpha1.TaskRecordLoadBalancer: {Message: "public (web) is not recorded yet"},
				v1alpha1.TaskAttachLoadBalancer: {Message: "public (web) is not recorded yet"},
				v1alpha1.TaskDrainLoadBalancer:  {Done: true}, v1alpha1.TaskDetachLoadBalancer: {Done: true},
			},
		},
		"attached": {
			server: MakeServer("web-1").Was(v1alpha1.Attached, time.Minute),
			want: map[v1alpha1.TaskType]pool.Progress{
				v1alpha1.TaskRecordLoadBalancer: {Done: true}, v1alpha1.TaskAttachLoadBalancer: {Done: true},
				v1alpha1.TaskDrainLoadBalancer:  {Message: "public (web) is Attached"},
				v1alpha1.TaskDetachLoadBalancer: {Message: "public (web) is Attached"},
			},
		},
		"draining": {
			server: MakeServer("web-1").Was(v1alpha1.Draining, 20*time.Second),
			want: map[v1alpha1.TaskType]pool.Progress{
				v1alpha1.TaskDrainLoadBalancer:  {Message: "public (web) is Draining", Wake: now.Add(10 * time.Second)},
				v1alpha1.TaskDetachLoadBalancer: {Message: "public (web) is Draining"},
			},
		},
		"drained": {
			server: MakeServer("web-1").Was(v1alpha1.Draining, 5*time.Second).
				With(func(s *v1alpha1.Server) { s.Spec.LoadBalancers[0].DrainSeconds = ptr.To[int32](5) }),
			want: map[v1alpha1.TaskType]pool.Progress{v1alpha1.TaskDrainLoadBalancer: {Done: true}},
		},
		"asked for, and in trouble": {
			server: MakeServer("web-1").Was(v1alpha1.Attaching, 0).
				With(func(s *v1alpha1.Server) { s.Status.LoadBalancers[0].Message = "no such Service" }),
			want: map[v1alpha1.TaskType]pool.Progress{
				v1alpha1.TaskAttachLoadBalancer: {Message: "public (web) is Attaching no such Service"},
				v1alpha1.TaskDetachLoadBalancer: {Message: "public (web) is Attaching no such Service"},
			},
		},
		"in a pool that the spec names no more": {
			server: MakeServer("web-1").Was(v1alpha1.Attached, 0).With(func(s *v1alpha1.Server) { s.Spec.LoadBalancers = nil }),
			want: map[v1alpha1.TaskType]pool.Progress{
				v1alpha1.TaskAttachLoadBalancer: {Done: true}, v1alpha1.TaskDetachLoadBalancer: {Message: "public (web) is Attached"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, want := range tc.want {
				have, ours := pool.Task(kind, tc.server.Obj(), now)
				if diff := cmp.Diff(want, have); diff != "" || !ours {
					t.Errorf("%s: ours %t (-want +got):\n%s", kind, ours, diff)
				}
			}
		})
	}
	if _, ours := pool.Task(v1alpha1.TaskCreateMachine, MakeServer("web-1").Obj(), now); ours {
		t.Error("machines are none of a pool's business")
	}
}

func TestFree(t *testing.T) {
	for name, tc := range map[string]struct {
		server made
		want   bool
	}{
		"never in one": {server: MakeServer("web-1"), want: true},
		"out of it":    {server: MakeServer("web-1").Was(v1alpha1.Detached, 0), want: true},
		"in it":        {server: MakeServer("web-1").Was(v1alpha1.Attached, 0)},
		"may be in it": {server: MakeServer("web-1").Was(v1alpha1.Attaching, 0)},
		"left in it on purpose": {
			server: MakeServer("web-1").Was(v1alpha1.Attached, 0).Task(v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskSkipped), want: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if have := pool.Free(tc.server.Obj()); have != tc.want {
				t.Errorf("free: %t", have)
			}
		})
	}
}
