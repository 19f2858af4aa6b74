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
	"github.com/argosy-dev/argosy/member/vm/settings"
)

// TestSecretsOfTheMachine: no Server is made whose machine would boot without its user data, or that nobody could get onto. The set says
// which Secret is missing, of which field, and goes on by itself once it is there.
func TestSecretsOfTheMachine(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "shop", Name: name} }
	set := &v1alpha1.VMReplicaSet{ObjectMeta: meta("web")}
	set.UID, set.Generation, set.Finalizers = "u", 1, []string{v1alpha1.FinalizerServers}
	set.Spec.Replicas = ptr.To[int32](1)
	set.Spec.Template.Spec.Machine = v1alpha1.Machine{
		Driver: "http", UserDataRef: &v1alpha1.LocalReference{Name: "boot"},
		Access: &v1alpha1.MachineAccess{PrivateKeyRef: v1alpha1.LocalReference{Name: "access"}},
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(set).WithObjects(set).Build()
	recorder, now := record.NewFakeRecorder(10), clocktesting.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	r := New(Options{Options: control.Options{Clock: now}, Drivers: []string{"http"}},
		control.Means{Cache: api, Live: api, Writer: api, Recorder: recorder})
	look := func() (made int, says string) {
		t.Helper()
		now.Step(settingsMissing) // by which it says that it looks again
		result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(set)})
		if err != nil {
			t.Fatal(err)
		}
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(set), set); err != nil {
			t.Fatal(err)
		}
		c := apimeta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionReplicaFailure)
		if c.Status == metav1.ConditionTrue && (result.RequeueAfter <= 0 || result.RequeueAfter > settingsMissing) {
			t.Errorf("it looks again after %s", result.RequeueAfter)
		}
		list := &v1alpha1.ServerList{}
		if err := api.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		return len(list.Items), string(c.Status) + " " + c.Reason + ": " + c.Message
	}
	boot := &corev1.Secret{ObjectMeta: meta("boot"), Data: map[string][]byte{"token": []byte("x")}}
	access := &corev1.Secret{ObjectMeta: meta("access"), Data: map[string][]byte{corev1.SSHAuthPrivateKey: []byte("key")}}
	const missing = "True SettingsMissing: "
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return nil }, missing + `reading Secret boot (machine.userDataRef): secrets "boot" not found`},
		{func() error { return api.Create(t.Context(), boot) },
			missing + "reading Secret boot (machine.userDataRef): the Secret lacks a key: " + settings.UserDataKey},
		{func() error {
			boot.Data[settings.UserDataKey] = []byte("#cloud-config")
			return api.Update(t.Context(), boot)
		}, missing + `reading Secret access (machine.access.privateKeyRef): secrets "access" not found`},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if made, says := look(); made != 0 || says != step.want {
			t.Errorf("%d Servers are made, and the set says\n%s, want\n%s", made, says, step.want)
		}
	}
	if event := <-recorder.Events; !strings.HasPrefix(event, "Warning SettingsMissing reading Secret boot (machine.userDataRef): ") {
		t.Errorf("the event is %q", event)
	}
	if err := api.Create(t.Context(), access); err != nil {
		t.Fatal(err)
	}
	if made, says := look(); made != 1 || !strings.HasPrefix(says, "False NoReplicaFailure: ") {
		t.Errorf("with both Secrets %d Servers are made, and the set says %s", made, says)
	}
}
