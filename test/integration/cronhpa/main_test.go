package cronhpa

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2/textlogger"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/test/lab"
)

var (
	restConfig *rest.Config
	// etcd of the API server, by its URL.
	etcd   string
	scheme = runtime.NewScheme()
	// apiserver is a client of the test's own: nothing is cached or injected.
	apiserver client.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctrl.SetLogger(textlogger.NewLogger(textlogger.NewConfig()))
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, karmadaautoscaling.Install, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			fmt.Fprintln(os.Stderr, "building the scheme:", err)
			return 1
		}
	}
	server, err := lab.NewAPIServer(context.Background(), lab.KarmadaPlane())
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting an API server:", err)
		return 1
	}
	defer server.Close()
	restConfig, etcd = server.Config, server.Etcd
	if apiserver, err = client.New(lab.Patient(restConfig), client.Options{Scheme: scheme}); err != nil {
		fmt.Fprintln(os.Stderr, "making a client:", err)
		return 1
	}
	return lab.Judge(m)
}

// workers is how many CronHPAs a test's controller works on at once.
const workers = 4

// world is one test's namespace, clock and controllers.
type world struct {
	*gomega.WithT
	t         *testing.T
	ctx       context.Context
	namespace string
	// start is the minute the test began in: the API server stamps objects by the machine's clock, so the test's clock
	// has to begin there too.
	start time.Time
	clock *clocktesting.FakeClock
	// metrics are those of the controller that leads.
	metrics *prometheus.Registry
}

func newWorld(t *testing.T) *world {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "cron-"}}
	if err := apiserver.Create(t.Context(), namespace); err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(3 * time.Minute)
	g.SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	start := clock.RealClock{}.Now().UTC().Truncate(time.Minute).Add(time.Minute)
	return &world{WithT: g, t: t, ctx: t.Context(), namespace: namespace.Name, start: start, clock: clocktesting.NewFakeClock(start)}
}

// schedule fires once a year, so long after the test's start.
func (w *world) schedule(after time.Duration) string {
	return w.start.Add(after).Format("4 15 2 1 *")
}

// setClock moves the test's clock to so long after its start.
func (w *world) setClock(after time.Duration) { w.clock.SetTime(w.start.Add(after)) }

// lead starts a controller on the world's clock. The function it returns kills it and waits until it is gone. funcs see
// every request of the controller; nil for none.
func (w *world) lead(funcs *interceptor.Funcs) (kill func()) {
	w.t.Helper()
	return w.leadOf(restConfig, funcs)
}

// leadOf is lead by another way to the API server.
func (w *world) leadOf(config *rest.Config, funcs *interceptor.Funcs) (kill func()) {
	w.t.Helper()
	w.metrics = prometheus.NewRegistry()
	leader := fixture.Leader{Config: config, Scheme: scheme, Namespace: w.namespace, Requests: funcs}
	leader.Add = func(ctx context.Context, mgr ctrl.Manager) error {
		if err := autoscalers.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
			return err
		}
		return cronhpa.AddToManager(ctx, mgr, cronhpa.Options{Concurrency: workers, Clock: w.clock, Metrics: w.metrics})
	}
	return leader.Start(w.t)
}

// deployment creates a workload of so many replicas.
func (w *world) deployment(name string, replicas int32) *appsv1.Deployment {
	w.t.Helper()
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "web:1"}}},
			},
		},
	}
	w.create(d)
	return d
}

// hpa creates an autoscaler of the workload.
func (w *world) hpa(name, workload string, minimum, maximum int32) *autoscalingv2.HorizontalPodAutoscaler {
	w.t.Helper()
	h := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: workload},
			MinReplicas:    &minimum, MaxReplicas: maximum,
		},
	}
	w.create(h)
	return h
}

// cron creates a CronHPA.
func (w *world) cron(name string, target autoscalingv2.CrossVersionObjectReference, rules ...v1alpha1.CronHPARule) *v1alpha1.CronHPA {
	w.t.Helper()
	c := &v1alpha1.CronHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec:       v1alpha1.CronHPASpec{ScaleTargetRef: target, Rules: rules},
	}
	w.create(c)
	return c
}

func (w *world) create(o client.Object) {
	w.t.Helper()
	if err := apiserver.Create(w.ctx, o); err != nil {
		w.t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
	}
}

// cronStatus reads the status, fresh.
func (w *world) cronStatus(name string) v1alpha1.CronHPAStatus {
	c := &v1alpha1.CronHPA{}
	if err := apiserver.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, c); err != nil {
		w.t.Errorf("reading CronHPA %s: %v", name, err)
	}
	return c.Status
}

// observed waits until the controller has seen the object's present spec.
func (w *world) observed(name string) v1alpha1.CronHPAStatus {
	w.t.Helper()
	var status v1alpha1.CronHPAStatus
	w.Eventually(func() int64 {
		status = w.cronStatus(name)
		return status.ObservedGeneration
	}).Should(gomega.BeNumerically(">", 0), "the controller has not looked at CronHPA %s", name)
	return status
}

func (w *world) replicas(name string) int32 {
	d := &appsv1.Deployment{}
	if err := apiserver.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, d); err != nil {
		if !apierrors.IsNotFound(err) {
			w.t.Errorf("reading Deployment %s: %v", name, err)
		}
		return -1
	}
	return ptr.Deref(d.Spec.Replicas, -1)
}

func (w *world) bounds(name string) [2]int32 {
	h := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := apiserver.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, h); err != nil {
		w.t.Errorf("reading HorizontalPodAutoscaler %s: %v", name, err)
	}
	return [2]int32{ptr.Deref(h.Spec.MinReplicas, -1), h.Spec.MaxReplicas}
}

// ready is the Ready condition's status and reason: "False/TargetNotFound".
func (w *world) ready(name string) string {
	c := meta.FindStatusCondition(w.cronStatus(name).Conditions, v1alpha1.CronHPAReady)
	if c == nil {
		return ""
	}
	return string(c.Status) + "/" + c.Reason
}

// firings is the controller's count of firings that ended so.
func (w *world) firings(result v1alpha1.FiringResult) float64 {
	return w.measured("argosy_cronhpa_firings_total")[string(result)]
}

// measured is a metric of the controller by the value of its one label: of a histogram, how much it has seen.
func (w *world) measured(name string) map[string]float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	w.Expect(err).NotTo(gomega.HaveOccurred())
	out := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			label := ""
			if len(m.GetLabel()) > 0 {
				label = m.GetLabel()[0].GetValue()
			}
			if family.GetName() == name {
				out[label] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return out
}

// events is how often an event with the reason was told.
func (w *world) events(reason string) int {
	count := 0
	for _, e := range w.allEvents() {
		if e.Reason == reason {
			count += int(max(e.Count, 1))
		}
	}
	return count
}

// told are the messages of the events with the reason about one CronHPA.
func (w *world) told(name, reason string) []string {
	var out []string
	for _, e := range w.allEvents() {
		if e.Reason == reason && e.InvolvedObject.Name == name {
			out = append(out, e.Message)
		}
	}
	return out
}

func (w *world) allEvents() []corev1.Event {
	var list corev1.EventList
	if err := apiserver.List(w.ctx, &list, client.InNamespace(w.namespace)); err != nil {
		w.t.Errorf("listing events: %v", err)
	}
	return list.Items
}

func workloadRef(name string) autoscalingv2.CrossVersionObjectReference {
	return autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}
}

func hpaRef(name string) autoscalingv2.CrossVersionObjectReference {
	return autoscalingv2.CrossVersionObjectReference{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Name: name}
}

// replicasAt is a rule that sets replicas.
func replicasAt(name, schedule string, replicas int32) v1alpha1.CronHPARule {
	return v1alpha1.CronHPARule{Name: name, Schedule: schedule, TargetReplicas: &replicas}
}

// boundsAt is a rule that sets bounds.
func boundsAt(name, schedule string, minimum, maximum int32) v1alpha1.CronHPARule {
	return v1alpha1.CronHPARule{Name: name, Schedule: schedule, TargetMinReplicas: &minimum, TargetMaxReplicas: &maximum}
}
