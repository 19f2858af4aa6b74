package vm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/servers"
	"github.com/argosy-dev/argosy/member/vm/sets"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// histories are as many histories at once, in each of which the process dies so often while machines are made: 1,000 times in all.
const (
	histories = 10
	kills     = 100
)

var errKilled = errors.New("killed")

// mortal is the life of one process: it dies at one of its writes, before or after that took effect. A request to the IaaS is a write.
type mortal struct {
	at    int
	after bool
	seen  int
}

func (m *mortal) write(do func() error) error {
	m.seen++
	switch {
	case m.seen > m.at, m.seen == m.at && !m.after:
		m.seen = m.at + 1
		return errKilled
	case m.seen == m.at:
		m.seen++
		return errors.Join(do(), errKilled)
	}
	return do()
}

func (m *mortal) dead() bool { return m.seen > m.at }

// client of the process.
func (m *mortal) client(t *testing.T) client.Client {
	t.Helper()
	inner, err := client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: api.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return interceptor.NewClient(inner, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return m.write(func() error { return c.Create(ctx, o, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			return m.write(func() error { return c.Patch(ctx, o, p, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			return m.write(func() error { return c.SubResource(sub).Patch(ctx, o, p, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return m.write(func() error { return c.Delete(ctx, o, opts...) })
		},
	})
}

// mortalDriver dies at what it asks to be made.
type mortalDriver struct {
	machine.Driver
	*mortal
}

func (d mortalDriver) Ensure(ctx context.Context, call machine.Call, spec machine.Spec) (out machine.Machine, err error) {
	err = d.write(func() (err error) {
		out, err = d.Driver.Ensure(ctx, call, spec)
		return err
	})
	return out, err
}

// live is one process until it dies; true: all that the set asks for is there, and it did not die.
func (w *world) live(m *mortal, holder string, set *v1alpha1.VMReplicaSet) bool {
	c := m.client(w.t)
	with := control.Means{Cache: c, Live: c, Writer: c, Recorder: &record.FakeRecorder{}}
	options := w.serverOptions(holder)
	options.Drivers = map[string]machine.Driver{httpdriver.Name: mortalDriver{Driver: w.driver, mortal: m}}
	planner := sets.New(sets.Options{Options: w.every(1), Drivers: []string{httpdriver.Name}}, with)
	worker := servers.New(options, with)
	for pass := 0; !m.dead(); pass++ {
		if pass > 500 {
			w.t.Fatalf("%s does not come to an end: %v", holder, w.seen())
		}
		w.reconcile(planner, set.Name)
		unmade, all := w.unmade(set)
		if len(unmade) == 0 && all == int(*set.Spec.Replicas) {
			return !m.dead()
		}
		for _, name := range unmade {
			if !m.dead() {
				w.reconcile(worker, name)
			}
		}
		// Within a lock's life, and over a retry's wait after a few.
		w.clock.pass(4 * time.Second)
	}
	return false
}

// unmade are the servers of a set whose machine is not there by name, and how many there are in all.
func (w *world) unmade(set *v1alpha1.VMReplicaSet) (names []string, all int) {
	w.t.Helper()
	list := &v1alpha1.ServerList{}
	if err := api.List(w.ctx, list, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelSet: set.Name}); err != nil {
		w.t.Fatal(err)
	}
	for _, s := range list.Items {
		if s.Spec.ProviderID == "" || s.Status.Phase != v1alpha1.ServerDeploying {
			names = append(names, s.Name)
		}
	}
	return names, len(list.Items)
}

func (w *world) reconcile(r reconcile.Reconciler, name string) {
	w.t.Helper()
	_, err := r.Reconcile(w.ctx, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: name}})
	if err != nil && !errors.Is(err, errKilled) {
		w.t.Fatalf("%s: %v", name, err)
	}
}

// TestKilledAtCreation: the process dies over and over while machines are made, at any of its writes, and the system answers as real ones
// do: late, twice, or not at all after it did the work. There is never a second machine, and in the end none is missing.
func TestKilledAtCreation(t *testing.T) {
	for seed := range uint64(histories) {
		t.Run(fmt.Sprintf("history %d", seed), func(t *testing.T) { newWorld(t).die(rand.New(rand.NewPCG(seed, 2))) })
	}
}

func (w *world) die(random *rand.Rand) {
	var mu sync.Mutex
	w.system.Fail(func(*http.Request) iaas.Fault {
		mu.Lock()
		defer mu.Unlock()
		return []iaas.Fault{iaas.None, iaas.None, iaas.None, iaas.None, iaas.Lost, iaas.Lost, iaas.Twice, iaas.Refused}[random.IntN(8)]
	})
	var set *v1alpha1.VMReplicaSet
	died, asked := 0, 0
	for round := 0; died < kills; round++ {
		if set == nil || *set.Spec.Replicas >= 8 && round%2 == 0 {
			set = w.set(fmt.Sprintf("web%d", round), 0)
			w.create(set)
		}
		mu.Lock()
		m := &mortal{at: 1 + random.IntN(12), after: random.IntN(2) == 0}
		mu.Unlock()
		for !m.dead() {
			if w.live(m, fmt.Sprintf("process-%d", round), set) {
				// All that was asked for is there: ask for more.
				change(w, set, func(s *v1alpha1.VMReplicaSet) { s.Spec.Replicas = ptr.To(*s.Spec.Replicas + 3) })
				asked += 3
			}
		}
		died++
		w.Expect(w.system.Made()).To(gomega.BeNumerically("<=", asked), "machines, after %d kills", died)
		w.clock.pass(20 * time.Second)
	}
	w.system.Fail(nil)
	list := &v1alpha1.VMReplicaSetList{}
	w.Expect(api.List(w.ctx, list, client.InNamespace(w.namespace))).To(gomega.Succeed())
	for i := range list.Items {
		w.Expect(w.live(&mortal{at: 1 << 30}, "last", &list.Items[i])).To(gomega.BeTrue(), list.Items[i].Name)
	}
	w.Expect(w.servers()).To(gomega.HaveLen(asked), "servers")
	w.Expect(w.machines()).To(gomega.HaveLen(asked), "machines that are there")
	w.Expect(w.system.Made()).To(gomega.Equal(asked), "machines that were ever made")
	w.t.Logf("%d kills while %d machines of %d sets were made", died, asked, len(list.Items))
}
