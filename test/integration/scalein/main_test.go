package scalein

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	"github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2/textlogger"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	vm "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/scalein"
	"github.com/argosy-dev/argosy/test/lab"
)

var (
	scheme      = runtime.NewScheme()
	planeConfig *rest.Config
	// plane and member are clients of the test's own: nothing is cached or injected.
	plane, member client.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctrl.SetLogger(textlogger.NewLogger(textlogger.NewConfig()))
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, karmadaautoscaling.Install, workv1alpha1.Install,
		workv1alpha2.Install, policyv1alpha1.Install,
		kruisev1alpha1.AddToScheme, v1alpha1.AddToScheme, autoscalingv1alpha1.AddToScheme, vm.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			fmt.Fprintln(os.Stderr, "building the scheme:", err)
			return 1
		}
	}
	ctx := context.Background()
	for _, server := range []struct {
		options lab.APIServerOptions
		client  *client.Client
		config  **rest.Config
	}{
		{lab.KarmadaPlane(), &plane, &planeConfig},
		{lab.APIServerOptions{CRDs: []lab.CRDs{lab.KruiseCRDs(), lab.ArgosyCRDs()}}, &member, new(*rest.Config)},
	} {
		running, err := lab.NewAPIServer(ctx, server.options)
		if err != nil {
			fmt.Fprintln(os.Stderr, "starting an API server:", err)
			return 1
		}
		defer running.Close()
		*server.config = running.Config
		if *server.client, err = client.New(lab.Patient(running.Config), client.Options{Scheme: scheme}); err != nil {
			fmt.Fprintln(os.Stderr, "making a client:", err)
			return 1
		}
	}
	return lab.Judge(m)
}

// reachable are the members a controller can ask: member1 is a real API server, no other answers.
type reachable struct{}

var errNoAnswer = errors.New("dial tcp 192.0.2.1:443: connection refused")

func (reachable) Client(_ context.Context, cluster string) (client.Client, error) {
	if cluster == "member1" {
		return member, nil
	}
	return nil, errNoAnswer
}

// world is one test's namespace on both servers, with CloneSet web: three replicas in member1, two in member2.
type world struct {
	*gomega.WithT
	t         *testing.T
	ctx       context.Context
	namespace string
	clock     *clocktesting.FakeClock
	// metrics are those of the controller that leads.
	metrics *prometheus.Registry
}

func newWorld(t *testing.T) *world {
	t.Helper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "scalein-"}}
	if err := plane.Create(t.Context(), object); err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(3 * time.Minute)
	g.SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	w := &world{
		WithT: g, t: t, ctx: t.Context(), namespace: object.Name,
		// The API server stamps objects by the machine's clock, so the test's clock has to begin there too.
		clock: clocktesting.NewFakeClock(clock.RealClock{}.Now().UTC().Truncate(time.Second)),
	}
	w.create(member, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	w.create(plane, w.cloneSet(5))
	w.create(plane, w.binding())
	w.observe()
	in := w.cloneSet(3)
	w.create(member, in)
	for i := range 3 {
		w.pod(fmt.Sprintf("web-%d", i), in)
	}
	return w
}

func (w *world) create(c client.Client, o client.Object) {
	w.t.Helper()
	if err := c.Create(w.ctx, o); err != nil {
		w.t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
	}
}

func (w *world) get(c client.Client, o client.Object) {
	w.t.Helper()
	if err := c.Get(w.ctx, client.ObjectKeyFromObject(o), o); err != nil {
		w.t.Fatalf("reading %T %s: %v", o, o.GetName(), err)
	}
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

func (w *world) cloneSet(replicas int32) *kruisev1alpha1.CloneSet {
	labels := map[string]string{"app": "web"}
	return &kruisev1alpha1.CloneSet{ObjectMeta: w.meta("web"), Spec: kruisev1alpha1.CloneSetSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "web:1"}}},
		},
	}}
}

func (w *world) binding() *workv1alpha2.ResourceBinding {
	return &workv1alpha2.ResourceBinding{ObjectMeta: w.meta("web-cloneset"), Spec: workv1alpha2.ResourceBindingSpec{
		Resource: workv1alpha2.ObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Namespace: w.namespace, Name: "web"},
		Replicas: 5, Clusters: []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 3}, {Name: "member2", Replicas: 2}},
		Placement: &policyv1alpha1.Placement{ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{
			ReplicaSchedulingType: policyv1alpha1.ReplicaSchedulingTypeDivided,
		}},
	}}
}

// pod creates a Ready pod of a CloneSet of the member.
func (w *world) pod(name string, owner *kruisev1alpha1.CloneSet) *corev1.Pod {
	w.t.Helper()
	pod := &corev1.Pod{ObjectMeta: w.meta(name), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "web:1"}}}}
	pod.Labels = map[string]string{"app": "web"}
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, kruisev1alpha1.SchemeGroupVersion.WithKind("CloneSet"))}
	w.create(member, pod)
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	w.Expect(member.Status().Update(w.ctx, pod)).To(gomega.Succeed())
	return pod
}

// change edits an object of the control plane.
func change[T client.Object](w *world, object T, edit func(T)) {
	w.t.Helper()
	w.Eventually(func() error {
		if err := plane.Get(w.ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		edit(object)
		return plane.Update(w.ctx, object)
	}).Should(gomega.Succeed())
}

// observe is the scheduler's part: it has seen the binding, and its sums agree.
func (w *world) observe() {
	w.t.Helper()
	w.Eventually(func() error {
		binding := w.binding()
		if err := plane.Get(w.ctx, client.ObjectKeyFromObject(binding), binding); err != nil {
			return err
		}
		binding.Status.SchedulerObservedGeneration = binding.Generation
		return plane.Status().Update(w.ctx, binding)
	}).Should(gomega.Succeed())
}

// karmada plays one turn of Karmada and OpenKruise: the template's total into the binding, the binding into member1's Work,
// the Work into member1 in one update, and the named pods go.
func (w *world) karmada() {
	w.t.Helper()
	manifest := w.karmadaWithoutMember()
	request, err := v1alpha1.ParseScaleInRequest(manifest.Annotations[v1alpha1.ScaleInRequestAnnotation])
	if err != nil {
		return // No order is at work.
	}
	in := w.cloneSet(0)
	w.get(member, in)
	pods, due := request.Deliver("member1", *manifest.Spec.Replicas, in.Annotations[v1alpha1.ScaleInDeliveredAnnotation])
	if !due {
		return
	}
	in.Spec.Replicas = manifest.Spec.Replicas
	in.Annotations = map[string]string{v1alpha1.ScaleInDeliveredAnnotation: request.ID}
	w.Expect(member.Update(w.ctx, in)).To(gomega.Succeed())
	for _, name := range pods {
		w.Expect(member.Delete(w.ctx, &corev1.Pod{ObjectMeta: w.meta(name)}, client.GracePeriodSeconds(0))).To(gomega.Succeed())
	}
}

// karmadaWithoutMember goes as far as the Work, whose manifest it returns: the member does not take it yet.
func (w *world) karmadaWithoutMember() *kruisev1alpha1.CloneSet {
	w.t.Helper()
	template, binding := w.cloneSet(0), w.binding()
	w.get(plane, template)
	change(w, binding, func(b *workv1alpha2.ResourceBinding) {
		b.Spec.Replicas, b.Spec.Resource.ResourceVersion = *template.Spec.Replicas, template.ResourceVersion
	})
	// A status moves the template's version on, and Karmada does not make the binding anew for it.
	status := fmt.Appendf(nil,
		`{"status": {"readyReplicas": %d, "replicas": 0, "availableReplicas": 0, "updatedReplicas": 0, "updatedReadyReplicas": 0}}`,
		template.Status.ReadyReplicas+1)
	w.Expect(plane.Status().Patch(w.ctx, template.DeepCopy(), client.RawPatch(types.MergePatchType, status))).To(gomega.Succeed())
	w.observe()
	manifest := template.DeepCopy()
	manifest.APIVersion, manifest.Kind = "apps.kruise.io/v1alpha1", "CloneSet"
	for _, cluster := range binding.Spec.Clusters {
		if cluster.Name == "member1" {
			manifest.Spec.Replicas = &cluster.Replicas
		}
	}
	w.work(manifest)
	return manifest
}

// work writes member1's Work.
func (w *world) work(manifest *kruisev1alpha1.CloneSet) {
	w.t.Helper()
	raw, err := json.Marshal(manifest)
	w.Expect(err).NotTo(gomega.HaveOccurred())
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.GenerateExecutionSpaceName("member1")}}
	if err := plane.Create(w.ctx, space); err != nil && !apierrors.IsAlreadyExists(err) {
		w.t.Fatal(err)
	}
	object := &workv1alpha1.Work{
		ObjectMeta: metav1.ObjectMeta{Namespace: space.Name, Name: names.GenerateWorkName("CloneSet", "web", w.namespace)},
	}
	spec := workv1alpha1.WorkSpec{
		Workload: workv1alpha1.WorkloadTemplate{Manifests: []workv1alpha1.Manifest{{RawExtension: runtime.RawExtension{Raw: raw}}}},
	}
	err = plane.Get(w.ctx, client.ObjectKeyFromObject(object), object)
	object.Spec = spec
	if apierrors.IsNotFound(err) {
		err = plane.Create(w.ctx, object)
	} else if err == nil {
		err = plane.Update(w.ctx, object)
	}
	w.Expect(err).NotTo(gomega.HaveOccurred())
}

// lead starts a controller. The function it returns kills it and waits until it is gone. funcs see every request of the
// controller; nil for none.
func (w *world) lead(funcs *interceptor.Funcs) (kill func()) {
	w.t.Helper()
	return w.leadOf(planeConfig, funcs)
}

func (w *world) leadOf(config *rest.Config, funcs *interceptor.Funcs) (kill func()) {
	w.t.Helper()
	w.metrics = prometheus.NewRegistry()
	return fixture.Leader{Config: config, Scheme: scheme, Namespace: w.namespace, Requests: funcs,
		Add: func(ctx context.Context, mgr ctrl.Manager) error {
			if err := autoscalers.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
				return err
			}
			return scalein.AddToManager(mgr, scalein.Options{
				Concurrency: 2, Members: reachable{}, Clock: w.clock, Metrics: w.metrics,
			})
		}}.Start(w.t)
}

// order makes a PodScaleIn for the pods of member1.
func (w *world) order(name string, pods ...string) *v1alpha1.PodScaleIn {
	order := &v1alpha1.PodScaleIn{ObjectMeta: w.meta(name), Spec: v1alpha1.PodScaleInSpec{
		TargetRef: v1alpha1.ScaleInTarget{Name: "web"}, TimeoutSeconds: ptr.To[int32](60),
	}}
	for _, pod := range pods {
		order.Spec.Pods = append(order.Spec.Pods, v1alpha1.PodReference{Cluster: "member1", Name: pod})
	}
	return order
}

// complete is the phase of the order "order", with reason and message of its condition Complete.
func (w *world) complete() (phase, reason, message string) {
	order := &v1alpha1.PodScaleIn{ObjectMeta: w.meta("order")}
	if err := plane.Get(w.ctx, client.ObjectKeyFromObject(order), order); err != nil {
		w.t.Errorf("reading the PodScaleIn: %v", err)
	}
	for _, c := range order.Status.Conditions {
		if c.Type == v1alpha1.PodScaleInComplete {
			reason, message = c.Reason, c.Message
		}
	}
	return string(order.Status.Phase), reason, message
}

// counted is the controller's count of orders that ended so.
func (w *world) counted(result v1alpha1.PodScaleInPhase) float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	w.Expect(err).NotTo(gomega.HaveOccurred())
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "argosy_scalein_orders_total" && m.GetLabel()[0].GetValue() == string(result) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// told are the messages of the events with the reason, about any object of the namespace.
func (w *world) told(reason string) []string {
	var list corev1.EventList
	if err := plane.List(w.ctx, &list, client.InNamespace(w.namespace)); err != nil {
		w.t.Errorf("listing events: %v", err)
	}
	var out []string
	for _, e := range list.Items {
		if e.Reason == reason {
			out = append(out, e.Message)
		}
	}
	return out
}
