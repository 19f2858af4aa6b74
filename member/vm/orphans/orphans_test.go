package orphans

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// iaas lists what it is told to have. Nothing else may be asked of it.
type iaas struct {
	machine.Driver
	machines []machine.Machine
	err      error
	// before is what happens while it is asked.
	before func()
}

func (i *iaas) List(_ context.Context, call machine.Call, owner string) ([]machine.Machine, error) {
	if owner != "me" || string(call.Credentials["token"]) != "secret" {
		return nil, fmt.Errorf("asked for %q with %q", owner, call.Credentials["token"])
	}
	if i.before != nil {
		i.before()
	}
	return i.machines, i.err
}

// shop is the system that the set names.
var shop = System{Driver: "http", Namespace: "shop", Secret: "iaas"}

type world struct {
	set      *v1alpha1.VMReplicaSet
	iaas     *iaas
	clock    *clocktesting.FakeClock
	api      client.Client
	looker   *Looker
	registry *prometheus.Registry
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	set := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "payments"}}
	set.Spec.Template.Spec.Machine = v1alpha1.Machine{Driver: "http", CredentialsRef: &v1alpha1.LocalReference{Name: "iaas"}}
	w := &world{
		set: set, iaas: &iaas{}, clock: clocktesting.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)),
		api: fake.NewClientBuilder().WithScheme(scheme).WithObjects(
			set, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: "me"}},
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "iaas"}, Data: map[string][]byte{"token": []byte("secret")}},
		).Build(),
	}
	w.begin(t)
	return w
}

// begin another process.
func (w *world) begin(t *testing.T) {
	t.Helper()
	w.registry = prometheus.NewRegistry()
	var err error
	w.looker, err = New(Options{
		Drivers: map[string]machine.Driver{"http": w.iaas}, Namespace: "argosy-system", Clock: w.clock, Metrics: w.registry,
	}, w.api, w.api, w.api)
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) delete(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := w.api.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func secretOf(s System) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Secret}}
}

// look after some minutes, and read the report.
func (w *world) look(t *testing.T, minutes time.Duration) Report {
	t.Helper()
	w.clock.Step(minutes * time.Minute)
	if err := w.looker.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored := &corev1.ConfigMap{}
	if err := w.api.Get(t.Context(), client.ObjectKey{Namespace: "argosy-system", Name: Name}, stored); err != nil {
		t.Fatal(err)
	}
	out, err := Parse(stored.Data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) create(t *testing.T, name string) {
	t.Helper()
	server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "uid-1"}}
	if err := w.api.Create(t.Context(), server); err != nil {
		t.Fatal(err)
	}
}

func keys(report Report) []string {
	out := []string{}
	for _, o := range report.Items {
		out = append(out, o.Key)
	}
	return out
}

// TestOrphans: what no Server knows is told when it has lasted, and is gone from the report when somebody removed it.
func TestOrphans(t *testing.T) {
	w := newWorld(t)
	w.create(t, "payments-1")
	w.iaas.machines = []machine.Machine{
		{Key: "uid-1", ID: "vm-1", State: v1alpha1.MachineRunning}, {Key: "uid-9", ID: "vm-9", State: v1alpha1.MachineRunning},
	}
	if have := w.look(t, 0); len(have.Items) != 0 {
		t.Errorf("believed at first sight: %v", have)
	}
	have := w.look(t, 5)
	want := []Orphan{{System: shop, Key: "uid-9", ID: "vm-9", State: "Running", Since: metav1.NewTime(w.clock.Now().Add(-5 * time.Minute))}}
	if diff := cmp.Diff(want, have.Items); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if n := testutil.ToFloat64(w.looker.count.Now().WithLabelValues("http")); n != 1 {
		t.Errorf("the gauge says %v", n)
	}
	w.iaas.machines = w.iaas.machines[:1]
	if have := w.look(t, 2); len(have.Items) != 0 {
		t.Errorf("told though it is gone: %v", have)
	}
}

// TestNoFalseOrphan: a server made while its system is asked is nobody's orphan, and neither is one that an answer left out for a moment.
func TestNoFalseOrphan(t *testing.T) {
	w := newWorld(t)
	w.iaas.machines = []machine.Machine{{Key: "uid-1"}}
	w.iaas.before = func() { w.create(t, "payments-1"); w.iaas.before = nil }
	for range 5 {
		if have := w.look(t, 10); len(have.Items) != 0 {
			t.Errorf("an orphan: %v", have)
		}
	}
}

// TestSilentSystem: what cannot be asked has no number and forgets nothing; who is told afterwards was nobody's all the while.
func TestSilentSystem(t *testing.T) {
	w := newWorld(t)
	w.iaas.machines = []machine.Machine{{Key: "uid-9"}}
	w.look(t, 0)
	w.iaas.err = errors.New("503 from a proxy")
	have := w.look(t, 10)
	if diff := cmp.Diff([]Unlisted{{Driver: "http", Message: "503 from a proxy"}}, have.Unknown); diff != "" || len(have.Items) > 0 {
		t.Errorf("(-want +have)\n%s%v", diff, have.Items)
	}
	if n := testutil.CollectAndCount(w.looker.count); n != 0 {
		t.Errorf("%d numbers of a system that was not counted", n)
	}
	w.iaas.err = nil
	if have := w.look(t, 1); !cmp.Equal(keys(have), []string{"uid-9"}) {
		t.Errorf("have %v", have)
	}
}

// TestManyOrphans: a report is bounded, and says how many more there are.
func TestManyOrphans(t *testing.T) {
	w := newWorld(t)
	for i := range MaxTold + 7 {
		w.iaas.machines = append(w.iaas.machines, machine.Machine{Key: fmt.Sprintf("key-%d", i)})
	}
	w.look(t, 0)
	if have := w.look(t, 5); len(have.Items) != MaxTold || have.More != 7 {
		t.Errorf("%d and %d more", len(have.Items), have.More)
	}
}

// TestTheLastSetIsGone: what it left stays told while it is there, by the system itself, in another process too, and with the credentials
// as they were last read where their Secret went first. Once nothing is left the system is asked no more.
func TestTheLastSetIsGone(t *testing.T) {
	w := newWorld(t)
	w.iaas.machines = []machine.Machine{{Key: "uid-9"}}
	w.look(t, 0)
	w.delete(t, w.set)
	if have := w.look(t, 5); !cmp.Equal(keys(have), []string{"uid-9"}) || have.Items[0].SeenAt != nil {
		t.Errorf("after its last set went: %+v", have)
	}
	w.begin(t)
	if have := w.look(t, 2); !cmp.Equal(keys(have), []string{"uid-9"}) {
		t.Errorf("in another process: %+v", have)
	}
	w.delete(t, secretOf(shop))
	if have := w.look(t, 2); !cmp.Equal(keys(have), []string{"uid-9"}) || have.Items[0].SeenAt != nil || have.Unknown != nil {
		t.Errorf("after its Secret went: %+v", have)
	}
	w.iaas.machines = nil
	if have := w.look(t, 2); len(have.Items)+len(have.Unknown)+len(have.Systems) != 0 {
		t.Errorf("after somebody removed it: %+v", have)
	}
	w.iaas.err = errors.New("asked though it is done with")
	if have := w.look(t, 2); len(have.Unknown) != 0 {
		t.Errorf("it goes on: %+v", have)
	}
}

// TestALostSystem: where nobody can be asked any more, what it had is told as it was last seen, and counted, until a person deletes the
// report.
func TestALostSystem(t *testing.T) {
	w := newWorld(t)
	w.iaas.machines = []machine.Machine{{Key: "uid-9", State: v1alpha1.MachineRunning}}
	w.look(t, 0)
	told := w.look(t, 5)
	w.delete(t, w.set, secretOf(shop))
	w.begin(t)
	for range 3 {
		have := w.look(t, 10)
		since := cmp.Equal(keys(have), []string{"uid-9"}) && have.Items[0].Since.Equal(&told.Items[0].Since)
		if !since || !have.Items[0].SeenAt.Equal(&told.ObservedAt) {
			t.Errorf("have %+v", have.Items)
		}
		if len(have.Unknown) != 1 || !have.Unknown[0].Left {
			t.Errorf("unknown %+v", have.Unknown)
		}
		if n := testutil.ToFloat64(w.looker.count.Now().WithLabelValues("http")); n != 1 {
			t.Errorf("the gauge says %v", n)
		}
	}
	report := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "argosy-system", Name: Name}}
	w.delete(t, report)
	if err := w.looker.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.api.Get(t.Context(), client.ObjectKeyFromObject(report), report); !apierrors.IsNotFound(err) {
		t.Errorf("it is told again: %v, %v", report.Data, err)
	}
	if n := testutil.CollectAndCount(w.looker.count); n != 0 {
		t.Errorf("%d numbers are left", n)
	}
}

// TestManyOfALostSystem: those beyond a report's bound are counted, named once others are gone, and known to each process after.
func TestManyOfALostSystem(t *testing.T) {
	const more = 7
	w := newWorld(t)
	for i := range MaxTold + more {
		w.iaas.machines = append(w.iaas.machines, machine.Machine{Key: fmt.Sprintf("key-%04d", i), State: v1alpha1.MachineRunning})
	}
	w.look(t, 0)
	told := w.look(t, 5)
	w.delete(t, w.set, secretOf(shop))
	for process := range 3 {
		w.begin(t)
		have := w.look(t, 10)
		if len(have.Items) != MaxTold || have.More != more || !cmp.Equal(keys(have), keys(told)) {
			t.Errorf("process %d: %d and %d more", process, len(have.Items), have.More)
		}
		if n := testutil.ToFloat64(w.looker.count.Now().WithLabelValues("http")); n != MaxTold+more {
			t.Errorf("process %d: the gauge says %v", process, n)
		}
	}
	// Its Secret is there again, and somebody has removed those that were told.
	if err := w.api.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "iaas"}, Data: map[string][]byte{"token": []byte("secret")},
	}); err != nil {
		t.Fatal(err)
	}
	w.iaas.machines = w.iaas.machines[MaxTold:]
	w.begin(t)
	have := w.look(t, 2)
	if len(have.Items) != more || have.More != 0 || !have.Items[0].Since.Equal(&told.Items[0].Since) {
		t.Errorf("told after the others went: %+v", have)
	}
}

// TestKeptHasRoom: as many as are kept fit into a ConfigMap beside the report, with keys and names of which none is like another.
func TestKeptHasRoom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var many []Orphan
	for range MaxKept + 1 {
		many = append(many, Orphan{
			System: shop, State: string(v1alpha1.MachineRunning), Since: metav1.Unix(1_700_000_000+random.Int64N(1_000_000), 0),
			Key: fmt.Sprintf("%016x-%016x", random.Uint64(), random.Uint64()), ID: fmt.Sprintf("%016x-%016x", random.Uint64(), random.Uint64()),
		})
	}
	packed, err := pack(many)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(many[:MaxTold])
	if err != nil {
		t.Fatal(err)
	}
	if all := len(packed) + len(text); all > 900_000 {
		t.Errorf("%d bytes", all)
	}
	if have, err := unpack(packed); err != nil || !cmp.Equal(have, many[:MaxKept]) {
		t.Errorf("%d of %d, %v", len(have), MaxKept, err)
	}
}

// TestSilentThroughARestart: what was seen before its system fell silent was nobody's all the while, for another process too.
func TestSilentThroughARestart(t *testing.T) {
	w := newWorld(t)
	w.iaas.machines = []machine.Machine{{Key: "uid-9"}}
	w.look(t, 0)
	w.iaas.err = errors.New("503 from a proxy")
	w.look(t, 10)
	w.begin(t)
	w.look(t, 2)
	w.iaas.err = nil
	if have := w.look(t, 2); !cmp.Equal(keys(have), []string{"uid-9"}) {
		t.Errorf("have %+v", have)
	}
}

// TestASilentSystemIsNotLost: what does not answer for a while after its last set went is asked again.
func TestASilentSystemIsNotLost(t *testing.T) {
	w := newWorld(t)
	w.look(t, 0)
	w.iaas.machines, w.iaas.err = []machine.Machine{{Key: "uid-9"}}, errors.New("503 from a proxy")
	w.delete(t, w.set)
	if have := w.look(t, 2); len(have.Unknown) != 1 {
		t.Errorf("silent: %+v", have)
	}
	w.iaas.err = nil
	w.look(t, 2)
	if have := w.look(t, 5); !cmp.Equal(keys(have), []string{"uid-9"}) {
		t.Errorf("it answers: %+v", have)
	}
}
