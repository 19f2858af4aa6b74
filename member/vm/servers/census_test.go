package servers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// listing is a system that lists what it is told to, and counts how often it was asked.
type listing struct {
	machine.Driver
	machines []machine.Machine
	err      error
	lists    int
}

func (l *listing) List(context.Context, machine.Call, string) ([]machine.Machine, error) {
	l.lists++
	return l.machines, l.err
}

// counting is a member with Servers of one system, whose machines run.
type counting struct {
	*testing.T
	system  *listing
	clock   *clocktesting.FakePassiveClock
	r       *Reconciler
	servers []*v1alpha1.Server
}

func newCounting(t *testing.T, servers int) *counting {
	t.Helper()
	c := &counting{T: t, system: &listing{}, clock: clocktesting.NewFakePassiveClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "iaas"}}
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem, UID: "member"}}
	objects := []client.Object{secret, space}
	for i := range servers {
		s := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("web-", i), UID: types.UID(fmt.Sprint("u", i))}}
		s.Spec.Machine = v1alpha1.Machine{Driver: "http", CredentialsRef: &v1alpha1.LocalReference{Name: secret.Name}}
		s.Spec.ProviderID = fmt.Sprint("vm-", i)
		address := []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprint("198.51.100.", i)}}
		s.Status = v1alpha1.ServerStatus{
			Phase: v1alpha1.ServerReady, Creation: &v1alpha1.Creation{State: v1alpha1.CreationDone}, Addresses: address,
			Machine: &v1alpha1.MachineStatus{State: v1alpha1.MachineRunning, BootID: "b"},
		}
		c.system.machines = append(c.system.machines, machine.Machine{
			Key: string(s.UID), ID: s.Spec.ProviderID, State: v1alpha1.MachineRunning, BootID: "b", Addresses: address,
		})
		objects = append(objects, s)
		c.servers = append(c.servers, s)
	}
	api := fake.NewClientBuilder().WithScheme(newScheme(t)).WithObjects(objects...).Build()
	c.r = New(Options{
		Options: control.Options{Clock: c.clock}, Period: 15 * time.Second, Drivers: map[string]machine.Driver{"http": c.system},
	}, control.Means{Cache: api, Live: api})
	for _, s := range c.servers {
		c.r.mind(s.UID).asked = c.clock.Now() // each by itself, when this process began
	}
	return c
}

// period passes, and the systems are asked: who is told of.
func (c *counting) period() []string {
	c.Helper()
	c.clock.SetTime(c.clock.Now().Add(c.r.Period))
	systems, err := c.r.systems(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	var told []string
	for of, all := range systems {
		if c.r.census.begin(of, c.clock.Now()) {
			c.r.count(c.Context(), of, all, func(name types.NamespacedName) { told = append(told, name.Name) })
		}
	}
	slices.Sort(told)
	return told
}

// askFor are the Servers that ask for their machines by themselves now.
func (c *counting) askFor() []string {
	var out []string
	for _, s := range c.servers {
		if w := (&work{before: s, mind: c.r.mind(s.UID), now: c.clock.Now()}); !w.now.Before(c.r.due(w)) {
			out = append(out, s.Name)
		}
	}
	return out
}

func (c *counting) want(what string, want, have []string) {
	c.Helper()
	if diff := cmp.Diff(want, have); diff != "" {
		c.Errorf("%s (-want +have)\n%s", what, diff)
	}
}

// TestCensus: a machine that the list shows as it is on record is not asked for by itself. Of one that it shows otherwise, or not, its
// Server is told of, once, and asks for itself, as all do when there is no list.
func TestCensus(t *testing.T) {
	for name, change := range map[string]func(*machine.Machine){
		"it does not run":       func(m *machine.Machine) { m.State = v1alpha1.MachineStopped },
		"it is not there":       func(m *machine.Machine) { m.Key = "another's" },
		"it booted":             func(m *machine.Machine) { m.BootID = "b2" },
		"it is another machine": func(m *machine.Machine) { m.ID = "vm-99" },
		"it is elsewhere":       func(m *machine.Machine) { m.Addresses = nil },
		"it has other keys":     func(m *machine.Machine) { m.HostKeys = []string{"other"} },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCounting(t, fewServers)
			c.want("told of at first", nil, c.period())
			c.want("asked for by themselves", nil, c.askFor())
			change(&c.system.machines[3])
			c.want("told of", []string{"web-3"}, c.period())
			c.want("asked for by themselves then", []string{"web-3"}, c.askFor())
			c.want("told of once more", nil, c.period())
		})
	}
}

// hanging is a system that answers when it is let go, whoever waits for it or not.
type hanging struct {
	machine.Driver
	asked, let chan struct{}
}

func (h *hanging) List(context.Context, machine.Call, string) ([]machine.Machine, error) {
	close(h.asked)
	<-h.let
	return nil, errors.New("too late")
}

// TestTheEndWaitsForTheCensus: who is asking for a list when the manager ends is waited for.
func TestTheEndWaitsForTheCensus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounting(t, fewServers)
		system := &hanging{asked: make(chan struct{}), let: make(chan struct{})}
		c.r.Drivers = map[string]machine.Driver{"http": system}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.r.takeCensus(ctx, func(types.NamespacedName) {}) }()
		<-system.asked
		cancel()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Error("it ended, and a system was being asked")
			ended <- err
		default:
		}
		close(system.let)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestNoCensus: without a list everybody asks for themselves, as do those of whom something is known to be wrong, and all once in a while.
func TestNoCensus(t *testing.T) {
	everybody := make([]string, fewServers)
	for i := range everybody {
		everybody[i] = fmt.Sprint("web-", i)
	}
	t.Run("the system does not list", func(t *testing.T) {
		c := newCounting(t, fewServers)
		c.want("told of at first", nil, c.period())
		c.system.err = errors.New("down")
		c.want("told of", everybody, c.period())
		c.want("asked for by themselves", everybody, c.askFor())
		c.system.err = nil
		c.period()
		c.want("asked for by themselves once it lists", nil, c.askFor())
	})
	t.Run("nobody lists any more", func(t *testing.T) {
		c := newCounting(t, fewServers)
		c.period()
		c.clock.SetTime(c.clock.Now().Add(believed * c.r.Period))
		c.want("asked for by themselves", everybody, c.askFor())
	})
	t.Run("a list may lag behind", func(t *testing.T) {
		c := newCounting(t, fewServers)
		for range int(byItself/c.r.Period) - 1 {
			c.period()
			c.want("asked for by themselves", nil, c.askFor())
		}
		c.period()
		c.want("asked for by themselves after a while", everybody, c.askFor())
	})
	t.Run("something is wrong", func(t *testing.T) {
		c := newCounting(t, fewServers)
		c.period()
		for i, kind := range []string{v1alpha1.ConditionReachable, v1alpha1.ConditionHealthy, v1alpha1.ConditionMonitoringNormal} {
			c.servers[i].Status.Conditions = []metav1.Condition{{Type: kind, Status: metav1.ConditionFalse}}
		}
		c.servers[3].Status.Phase = v1alpha1.ServerUnknown
		c.want("asked for by themselves", everybody[:4], c.askFor())
	})
	t.Run("few Servers", func(t *testing.T) {
		c := newCounting(t, fewServers-1)
		c.period()
		c.want("asked for by themselves", everybody[:fewServers-1], c.askFor())
		if c.system.lists != 0 {
			t.Errorf("the system was asked for %d lists", c.system.lists)
		}
	})
	t.Run("others' machines for the most part", func(t *testing.T) {
		c := newCounting(t, fewServers)
		for i := range foreign * fewServers {
			c.system.machines = append(c.system.machines, machine.Machine{Key: fmt.Sprint("other-", i), ID: fmt.Sprint("other-", i)})
		}
		for range 3 {
			c.period()
		}
		if c.system.lists != 1 {
			t.Errorf("the system was asked for %d lists", c.system.lists)
		}
	})
}
