package vm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/pools"
)

// tasksNow are a server's tasks with their states.
type tasksNow map[v1alpha1.TaskType]v1alpha1.TaskState

// shelf is a load balancer in memory, whose callers die between two of its changes.
type shelf struct {
	has  map[string]balance.Member
	life *mortal
}

func (s *shelf) Ensure(_ context.Context, _ balance.Pool, members []balance.Member) error {
	wanted := map[string]balance.Member{}
	for _, m := range members {
		wanted[m.ID] = m
		if is, ok := s.has[m.ID]; ok && is == m {
			continue
		}
		err := s.life.write(func() error {
			s.has[m.ID] = m
			return nil
		})
		if err != nil {
			return err
		}
	}
	for id := range s.has {
		if _, ok := wanted[id]; ok {
			continue
		}
		err := s.life.write(func() error {
			delete(s.has, id)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) Observe(context.Context, balance.Pool) ([]balance.Seen, error) {
	var out []balance.Seen
	for _, m := range s.has {
		out = append(out, balance.Seen{Member: m})
	}
	return out, nil
}

// TestKilledAmidPools: processes die at whatever write while servers come into a pool, drain, leave it and are deleted. At no moment is
// anybody in the pool of whom that is not on record, or who is recorded as out of it; in the end all is as it was asked for.
func TestKilledAmidPools(t *testing.T) {
	w := newWorld(t)
	deaths := 0
	for run := range 20 {
		random := rand.New(rand.NewPCG(uint64(run), 11))
		lb := &shelf{has: map[string]balance.Member{}}
		name, key := fmt.Sprintf("web-%d", run), pools.Key{Namespace: w.namespace, Driver: "shelf", Pool: fmt.Sprintf("pool-%d", run)}
		server := &v1alpha1.Server{ObjectMeta: w.meta(name)}
		server.Spec.Machine = v1alpha1.Machine{Driver: "http", Image: "lab/debian"}
		server.Spec.LoadBalancers = []v1alpha1.LoadBalancer{{Name: "public", Driver: key.Driver, Pool: key.Pool, Port: 80}}
		w.create(server)
		for _, stage := range []struct {
			name  string
			phase v1alpha1.ServerPhase
			tasks tasksNow
			want  v1alpha1.AttachmentState
		}{
			{"recorded", v1alpha1.ServerInitializing, nil, v1alpha1.Detached},
			{"attached", v1alpha1.ServerReady, tasksNow{v1alpha1.TaskAttachLoadBalancer: "Running"}, v1alpha1.Attached},
			{"drains", v1alpha1.ServerDeploying, tasksNow{v1alpha1.TaskDrainLoadBalancer: "Running"}, v1alpha1.Draining},
			{"leaves", v1alpha1.ServerDeploying, tasksNow{v1alpha1.TaskDetachLoadBalancer: "Running"}, v1alpha1.Detached},
		} {
			w.enter(name, stage.phase, stage.tasks)
			w.Eventually(func() v1alpha1.AttachmentState {
				life := &mortal{at: 1 + random.IntN(4), after: random.IntN(2) == 0}
				w.lookAt(life, lb, key)
				if life.dead() {
					deaths++
				}
				return w.isOnRecord(name, lb)
			}).Should(gomega.Equal(stage.want), fmt.Sprintf("run %d, %s", run, stage.name))
		}
		w.Expect(lb.has).To(gomega.BeEmpty())
		w.Expect(api.Delete(w.ctx, server)).To(gomega.Succeed())
		w.Eventually(func() bool {
			life := &mortal{at: 1 + random.IntN(2), after: random.IntN(2) == 0}
			w.lookAt(life, lb, pools.Key{Namespace: w.namespace, Server: name})
			if life.dead() {
				deaths++
			}
			return apierrors.IsNotFound(api.Get(w.ctx, client.ObjectKeyFromObject(server), server))
		}).Should(gomega.BeTrue())
	}
	t.Logf("%d processes died", deaths)
	if deaths < 50 {
		t.Errorf("only %d processes died: the test looks at less than it says", deaths)
	}
}

// lookAt a pool for a life: until death, or a few times.
func (w *world) lookAt(life *mortal, lb *shelf, key pools.Key) {
	w.t.Helper()
	lb.life = life
	r := pools.New(pools.Options{Drivers: map[string]balance.Driver{"shelf": lb}, Period: 1, Clock: w.clock},
		control.Means{Cache: api, Live: api, Writer: life.client(w.t), Recorder: record.NewFakeRecorder(100)})
	for range 3 {
		if _, err := r.Reconcile(w.ctx, key); err != nil && !life.dead() {
			w.t.Fatalf("reconciling: %v", err)
		}
		if life.dead() {
			return
		}
	}
}

// enter a state, as the controller of Servers writes it.
func (w *world) enter(name string, phase v1alpha1.ServerPhase, tasks tasksNow) {
	w.t.Helper()
	w.Eventually(func() error {
		server := &v1alpha1.Server{}
		if err := api.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, server); err != nil {
			return err
		}
		server.Status.Phase, server.Status.Tasks = phase, nil
		server.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}}
		for kind, state := range tasks {
			server.Status.Tasks = append(server.Status.Tasks, v1alpha1.Task{ID: "task-1", Type: kind, State: state})
		}
		return api.Status().Update(w.ctx, server)
	}).Should(gomega.Succeed())
}

// isOnRecord is what the server records; whoever is in the pool must be recorded as in it, and be held until it is out.
func (w *world) isOnRecord(name string, lb *shelf) v1alpha1.AttachmentState {
	w.t.Helper()
	server := &v1alpha1.Server{}
	if err := api.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, server); err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(server.Status.LoadBalancers, func(a v1alpha1.Attachment) bool { return a.Name == "public" })
	state := v1alpha1.AttachmentState("")
	if i >= 0 {
		state = server.Status.LoadBalancers[i].State
	}
	if _, in := lb.has[name+".public"]; in {
		if state == "" || state == v1alpha1.Detached || !controllerutil.ContainsFinalizer(server, v1alpha1.FinalizerLoadBalancer) {
			w.t.Fatalf("%s is in the pool, recorded as %q, with finalizers %q", name, state, server.Finalizers)
		}
	}
	return state
}
