package component

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2/textlogger"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/member/component"
	"github.com/argosy-dev/argosy/test/lab"
)

var (
	scheme = runtime.NewScheme()
	config *rest.Config
	// kubeconfig is for programs.
	kubeconfig string
	// api is a client of the tests' own: nothing is cached.
	api client.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctrl.SetLogger(textlogger.NewLogger(textlogger.NewConfig()))
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			fmt.Fprintln(os.Stderr, "building the scheme:", err)
			return 1
		}
	}
	server, err := lab.NewAPIServer(context.Background(), lab.APIServerOptions{CRDs: []lab.CRDs{lab.ArgosyCRDs()}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting an API server:", err)
		return 1
	}
	defer server.Close()
	config, kubeconfig = server.Config, server.Kubeconfig
	if api, err = client.New(lab.Patient(config), client.Options{Scheme: scheme}); err != nil {
		fmt.Fprintln(os.Stderr, "making a client:", err)
		return 1
	}
	return lab.Judge(m)
}

// world is one test's namespace. Templates have no namespaces: those of a world speak of its own Components by a label.
type world struct {
	*gomega.WithT
	t         *testing.T
	ctx       context.Context
	namespace string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "component-"}}
	if err := api.Create(t.Context(), namespace); err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(3 * time.Minute)
	g.SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	g.SetDefaultConsistentlyPollingInterval(50 * time.Millisecond)
	return &world{WithT: g, t: t, ctx: t.Context(), namespace: namespace.Name}
}

// lead starts the controllers; requests sees what they ask.
func (w *world) lead(requests *interceptor.Funcs) (kill func()) {
	w.t.Helper()
	return fixture.Leader{
		Config: config, Scheme: scheme, Namespace: w.namespace, Requests: requests,
		Add: func(ctx context.Context, mgr ctrl.Manager) error {
			return component.AddToManager(ctx, mgr, component.Options{
				Concurrency: 4, Namespace: w.namespace, Metrics: prometheus.NewRegistry(),
			})
		},
	}.Start(w.t)
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

// five is a Component of the contract's five fields.
func (w *world) five(name string) *v1alpha1.Component {
	c := &v1alpha1.Component{ObjectMeta: w.meta(name), Spec: v1alpha1.ComponentSpec{
		WorkloadType: v1alpha1.WorkloadDeployment, DevelopLanguage: "python", RunType: "server", Image: "python-demo:latest", Port: 8080,
	}}
	c.Labels = map[string]string{"world": w.namespace}
	return c
}

func (w *world) create(objects ...client.Object) {
	w.t.Helper()
	for _, o := range objects {
		if err := api.Create(w.ctx, o); err != nil {
			w.t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
		}
	}
}

// template of level Cluster for the Components of this world.
func (w *world) template(name, objects string) *v1alpha1.ComponentTemplate {
	w.t.Helper()
	o := fixture.Parse(w.t, "spec: {level: Cluster, objects: "+objects+"}")
	t := &v1alpha1.ComponentTemplate{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Map(), t); err != nil {
		w.t.Fatal(err)
	}
	t.Name = w.namespace + "-" + name
	t.Spec.Match.ComponentSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"world": w.namespace}}
	return t
}

// get reads the object; it is false while there is none.
func (w *world) get(o client.Object) bool {
	w.t.Helper()
	err := api.Get(w.ctx, client.ObjectKeyFromObject(o), o)
	if client.IgnoreNotFound(err) != nil {
		w.t.Fatalf("reading %T %s: %v", o, o.GetName(), err)
	}
	return !apierrors.IsNotFound(err)
}

// change edits an object.
func change[T client.Object](w *world, o T, edit func(T)) T {
	w.t.Helper()
	w.Eventually(func() error {
		if err := api.Get(w.ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		edit(o)
		return api.Update(w.ctx, o)
	}).Should(gomega.Succeed())
	return o
}

// condition of a Component as "Status Reason", and its message.
func (w *world) condition(name, kind string) (string, string) {
	w.t.Helper()
	c := w.five(name)
	if !w.get(c) {
		return "gone", ""
	}
	found := meta.FindStatusCondition(c.Status.Conditions, kind)
	if found == nil {
		return "", ""
	}
	return string(found.Status) + " " + found.Reason, found.Message
}

func (w *world) says(name, kind, want string) (message string) {
	w.t.Helper()
	w.Eventually(func() string {
		var have string
		have, message = w.condition(name, kind)
		return have + ": " + message
	}).Should(gomega.HavePrefix(want + ": "))
	return message
}

func (w *world) deployment(name string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: w.meta(name)}
	w.t.Helper()
	w.Eventually(func() bool { return w.get(d) }).Should(gomega.BeTrue(), "no Deployment "+name)
	return d
}

// image of a Deployment's main container.
func (w *world) image(name string) string {
	w.t.Helper()
	return w.deployment(name).Spec.Template.Spec.Containers[0].Image
}

// runsImage waits until a Deployment's main container is of an image.
func (w *world) runsImage(name, image string) {
	w.t.Helper()
	w.Eventually(func() string { return w.image(name) }).Should(gomega.Equal(image))
}

// serves plays the Deployment controller: all replicas but the missing are of the current template and serve.
func (w *world) serves(name string, missing int32, conditions ...appsv1.DeploymentCondition) {
	w.t.Helper()
	w.Eventually(func() error {
		d := w.deployment(name)
		n := ptr.Deref(d.Spec.Replicas, 1)
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n - missing, AvailableReplicas: n - missing,
			UnavailableReplicas: missing, Conditions: conditions,
		}
		return api.Status().Update(w.ctx, d)
	}).Should(gomega.Succeed())
}

// pod of a Component, that the test's hand leads.
func (w *world) pod(of, name string, status corev1.PodStatus) {
	w.t.Helper()
	d := w.deployment(of)
	pod := &corev1.Pod{ObjectMeta: w.meta(name), Spec: *d.Spec.Template.Spec.DeepCopy()}
	pod.Labels = d.Spec.Template.Labels
	w.create(pod)
	pod.Status = status
	w.Expect(api.Status().Update(w.ctx, pod)).To(gomega.Succeed())
}

// events told of an object, as reasons.
func (w *world) events(reason string) []string {
	w.t.Helper()
	list := &corev1.EventList{}
	if err := api.List(w.ctx, list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range list.Items {
		if e.Reason == reason {
			out = append(out, e.Message)
		}
	}
	return out
}
