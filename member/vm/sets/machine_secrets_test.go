package sets

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/settings"
)

// secretive is a set whose machines are given user data, and are logged into.
type secretive struct {
	*testing.T
	set      *v1alpha1.VMReplicaSet
	api      client.WithWatch
	clock    *clocktesting.FakeClock
	recorder *record.FakeRecorder
	r        *Reconciler
}

func newSecretive(t *testing.T) *secretive {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	set := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	set.UID, set.Generation, set.Finalizers = "u", 1, []string{v1alpha1.FinalizerServers}
	set.Spec.Replicas = ptr.To[int32](1)
	set.Spec.Template.Spec.Machine = v1alpha1.Machine{
		Driver: "http", UserDataRef: &v1alpha1.LocalReference{Name: "boot"},
		Access: &v1alpha1.MachineAccess{PrivateKeyRef: v1alpha1.LocalReference{Name: "access"}},
	}
	s := &secretive{
		T: t, set: set, recorder: record.NewFakeRecorder(10), clock: clocktesting.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)),
		api: fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(set).WithObjects(set).Build(),
	}
	s.r = New(Options{Options: control.Options{Clock: s.clock}, Drivers: []string{"http"}, Balancers: []string{"service"}},
		control.Means{Cache: s.api, Live: s.api, Writer: s.api, Recorder: s.recorder})
	return s
}

// secret of the set's namespace.
func (s *secretive) secret(name, key, value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Data: map[string][]byte{key: []byte(value)}}
}

func (s *secretive) create(objects ...client.Object) {
	s.Helper()
	for _, o := range objects {
		if err := s.api.Create(s.Context(), o); err != nil {
			s.Fatal(err)
		}
	}
}

// edit the set.
func (s *secretive) edit(change func(*v1alpha1.VMReplicaSetSpec)) {
	s.Helper()
	change(&s.set.Spec)
	s.set.Generation++
	if err := s.api.Update(s.Context(), s.set); err != nil {
		s.Fatal(err)
	}
}

// look at the set, by when it said that it looks again: the Servers then, and what the set says is in the way.
func (s *secretive) look() (servers []v1alpha1.Server, says string) {
	s.Helper()
	s.clock.Step(settingsMissing)
	result, err := s.r.Reconcile(s.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(s.set)})
	if err != nil {
		s.Fatal(err)
	}
	if err := s.api.Get(s.Context(), client.ObjectKeyFromObject(s.set), s.set); err != nil {
		s.Fatal(err)
	}
	c := apimeta.FindStatusCondition(s.set.Status.Conditions, v1alpha1.ConditionReplicaFailure)
	if c.Status == metav1.ConditionTrue && (result.RequeueAfter <= 0 || result.RequeueAfter > settingsMissing) {
		s.Errorf("it looks again after %s", result.RequeueAfter)
	}
	list := &v1alpha1.ServerList{}
	if err := s.api.List(s.Context(), list); err != nil {
		s.Fatal(err)
	}
	return list.Items, string(c.Status) + " " + c.Reason + ": " + c.Message
}

const (
	secretMissing = "True SettingsMissing: "
	noBoot        = `reading Secret boot (machine.userDataRef): secrets "boot" not found`
	noAccess      = `reading Secret access (machine.access.privateKeyRef): secrets "access" not found`
)

// TestSecretsOfTheMachine: no Server is made whose machine would boot without its user data, or that nobody could get onto. The set says
// which Secret is missing, of which field, and goes on by itself once it is there.
func TestSecretsOfTheMachine(t *testing.T) {
	s := newSecretive(t)
	boot := s.secret("boot", "token", "x")
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, secretMissing + noAccess + "; " + noBoot},
		{func() { s.create(boot) },
			secretMissing + noAccess + "; reading Secret boot (machine.userDataRef): the Secret lacks a key: " + settings.UserDataKey},
		{func() {
			boot.Data[settings.UserDataKey] = []byte("#cloud-config")
			if err := s.api.Update(t.Context(), boot); err != nil {
				t.Fatal(err)
			}
		}, secretMissing + noAccess},
	} {
		step.do()
		if servers, says := s.look(); len(servers) != 0 || says != step.want {
			t.Errorf("%d Servers are made, and the set says\n%s, want\n%s", len(servers), says, step.want)
		}
	}
	if event := <-s.recorder.Events; event != "Warning SettingsMissing "+noAccess+"; "+noBoot {
		t.Errorf("the event is %q", event)
	}
	s.create(s.secret("access", corev1.SSHAuthPrivateKey, "key"))
	if servers, says := s.look(); len(servers) != 1 || !strings.HasPrefix(says, "False NoReplicaFailure: ") {
		t.Errorf("with both Secrets %d Servers are made, and the set says %s", len(servers), says)
	}
}

// TestUserDataTakenAway after the machines booted: it is missed where a machine is to be made, and holds back nothing else. The key to the
// machines is missed at once: nothing gets onto them without it.
func TestUserDataTakenAway(t *testing.T) {
	s := newSecretive(t)
	boot := s.secret("boot", settings.UserDataKey, "#cloud-config")
	access := s.secret("access", corev1.SSHAuthPrivateKey, "key")
	s.create(boot, access)
	s.look()
	// serve has all Servers be what they are asked to be.
	serve := func() {
		t.Helper()
		servers, _ := s.look()
		for _, server := range servers {
			server.Status.Phase, server.Status.EnvironmentHash = v1alpha1.ServerReady, facts.Environment(server.Spec.Packages, "")
			server.Status.Machine = &v1alpha1.MachineStatus{State: v1alpha1.MachineRunning}
			apimeta.SetStatusCondition(&server.Status.Conditions, metav1.Condition{
				Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Seen", LastTransitionTime: metav1.NewTime(s.clock.Now()),
			})
			if err := s.api.Update(t.Context(), &server); err != nil {
				t.Fatal(err)
			}
		}
	}
	serve()
	if err := s.api.Delete(t.Context(), boot); err != nil {
		t.Fatal(err)
	}
	s.clock.Step(settingsPeriod)
	well := "False NoReplicaFailure: nothing is in the way, and the next machine could not be made: " + noBoot
	if _, says := s.look(); says != well {
		t.Errorf("no machine is to be made, and the set says\n%s, want\n%s", says, well)
	}
	s.edit(func(spec *v1alpha1.VMReplicaSetSpec) {
		spec.Template.Spec.LoadBalancers = []v1alpha1.LoadBalancer{{Name: "front", Driver: "service", Pool: "front", Port: 80}}
	})
	servers, says := s.look()
	if balancers := servers[0].Spec.LoadBalancers; len(balancers) != 1 || says != well {
		t.Errorf("the edited template is held back (%v), and the set says %s", balancers, says)
	}
	serve()
	s.edit(func(spec *v1alpha1.VMReplicaSetSpec) { spec.Replicas = ptr.To[int32](2) })
	if servers, says := s.look(); len(servers) != 1 || says != secretMissing+noBoot {
		t.Errorf("%d Servers with one to be made, and the set says\n%s, want\n%s", len(servers), says, secretMissing+noBoot)
	}
	s.edit(func(spec *v1alpha1.VMReplicaSetSpec) {
		spec.Replicas, spec.Template.Spec.Machine.Image = ptr.To[int32](1), "debian-13"
		spec.UpdateStrategy.OnMachineChange = v1alpha1.MachineChangeReplace
	})
	if servers, says := s.look(); servers[0].Spec.Offline || says != secretMissing+noBoot {
		t.Errorf("one is replaced that cannot be made (%v), and the set says\n%s", servers[0].Spec.Offline, says)
	}
	s.edit(func(spec *v1alpha1.VMReplicaSetSpec) {
		spec.UpdateStrategy.OnMachineChange = v1alpha1.MachineChangeHold
	})
	if _, says := s.look(); says != well {
		t.Errorf("no machine is to be made any more, and the set says %s", says)
	}
	if err := s.api.Delete(t.Context(), access); err != nil {
		t.Fatal(err)
	}
	s.clock.Step(settingsPeriod)
	if _, says := s.look(); says != secretMissing+noAccess {
		t.Errorf("nothing gets onto the machines, and the set says %s", says)
	}
}
