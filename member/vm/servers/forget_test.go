package servers

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/ask"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/gates"
	"github.com/argosy-dev/argosy/member/vm/probe"
)

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

// TestAStrippedServer: a Server that went with its finalizers taken off by hand is asked and dialled no more, and nothing is kept of it.
func TestAStrippedServer(t *testing.T) {
	server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "u"}}
	server.Spec.HealthCheck = &v1alpha1.HealthCheck{TCPSocket: &v1alpha1.TCPSocketCheck{Port: 80}}
	server.Spec.Release = &v1alpha1.Release{Version: "1"}
	server.Status.Release = &v1alpha1.DeployedRelease{Version: "1"}
	server.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}}
	api := fake.NewClientBuilder().WithScheme(newScheme(t)).WithStatusSubresource(server).WithObjects(server).Build()
	recorder, tell := record.NewFakeRecorder(100), func(types.NamespacedName) {}
	r := New(Options{}, control.Means{Cache: api, Live: api, Writer: api, Recorder: recorder})
	r.prober, r.dialler = probe.New(probe.Options{Tell: tell}), probe.New(probe.Options{Tell: tell})
	r.alerts = ask.New[string](clock.RealClock{}, tell)
	r.gates = gates.New(gates.Options{}, api, recorder, clock.RealClock{}, tell)
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(server)}
	look := func() {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	asked := probe.Target{UID: "u", Name: request.NamespacedName, Set: request.NamespacedName, Check: server.Spec.HealthCheck, Epoch: "x"}
	known := func(p *probe.Prober) probe.Verdict { return p.Watch(asked).Verdict }
	look()
	asked.Verdict = probe.Healthy
	for _, p := range []*probe.Prober{r.prober, r.dialler} {
		p.Forget("u")
		if have := known(p); have != probe.Healthy {
			t.Fatalf("a server that is asked: %s", have)
		}
	}
	if len(r.minds) != 1 {
		t.Fatalf("%d minds", len(r.minds))
	}
	if err := api.Get(t.Context(), request.NamespacedName, server); err != nil {
		t.Fatal(err)
	}
	server.Finalizers = nil
	if err := errors.Join(api.Update(t.Context(), server), api.Delete(t.Context(), server)); err != nil {
		t.Fatal(err)
	}
	look()
	asked.Verdict = probe.NotKnown
	for name, p := range map[string]*probe.Prober{"prober": r.prober, "dialler": r.dialler} {
		if have := known(p); have != probe.NotKnown {
			t.Errorf("the %s still asks it: %s", name, have)
		}
	}
	if len(r.minds) != 0 {
		t.Errorf("%d minds of nobody", len(r.minds))
	}
}

// TestCredentialsAreReadOnce in 30 s for all Servers that name them, and anew before anything is changed with them.
func TestCredentialsAreReadOnce(t *testing.T) {
	reads := 0
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "iaas"}, Data: map[string][]byte{"token": []byte("x")}}
	api := fake.NewClientBuilder().WithScheme(newScheme(t)).WithObjects(secret).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			reads++
			return c.Get(ctx, key, o, options...)
		},
	}).Build()
	now := clocktesting.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	r := New(Options{Options: control.Options{Clock: now}}, control.Means{Cache: api, Live: api, Writer: api})
	call := func(sequence int64) {
		t.Helper()
		for i := range 1_000 {
			server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", UID: types.UID(fmt.Sprint(i))}}
			server.Spec.Machine.CredentialsRef = &v1alpha1.LocalReference{Name: "iaas"}
			out, err := r.call(t.Context(), &work{before: server, mind: r.mind(server.UID), now: now.Now()}, sequence)
			if err != nil || string(out.Credentials["token"]) != "x" {
				t.Fatalf("%v, %v", out, err)
			}
		}
	}
	call(0)
	if reads != 1 {
		t.Errorf("%d reads for a thousand looks", reads)
	}
	call(1)
	if reads != 1_001 {
		t.Errorf("%d reads, a thousand of them before something is changed", reads)
	}
}
