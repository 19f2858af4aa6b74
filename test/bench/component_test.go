package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/member/component"
	"github.com/argosy-dev/argosy/member/vm/deployments"
	"github.com/argosy-dev/argosy/test/lab"
)

var components = flag.Int("components", 5_000, "TestComponents: how many")

const (
	// componentsCold and componentsRendered are the aims: all in place after a cold start, and all rendered once more.
	componentsCold     = 90 * time.Second
	componentsRendered = 5 * time.Second
	// componentsNamespaces share them.
	componentsNamespaces = 50
)

// TestComponents measures how long argosy-member-manager takes, from its start, until thousands of Components are in place, and what a
// change of a template that matches all of them and changes no byte costs. Real: kube-apiserver and etcd, and the controller as it
// ships. There are no Deployment controllers: no pods are made.
func TestComponents(t *testing.T) {
	Only(t)
	ctrl.SetLogger(logr.Discard())
	f := newComponents(t, *components)
	defer func() { f.stop() }()
	start := f.clock.Now()
	f.run()
	f.until("in place", func(c *v1alpha1.Component) bool {
		return meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionRendered)
	})
	cold, made := f.clock.Since(start), f.applied.Load()

	start = f.clock.Now()
	f.reword()
	f.until("seen", func(c *v1alpha1.Component) bool {
		return len(c.Status.Templates) == 1 && c.Status.Templates[0].Generation == 2
	})
	seen := f.clock.Since(start)

	start = f.clock.Now()
	f.value()
	looked, again := f.clock.Since(start), f.applied.Load()-made

	fmt.Fprintf(os.Stdout, "\n### Component: %d of them, with one template\n\n%s\n\n", *components, machine())
	fmt.Fprintf(os.Stdout, "| | |\n|---|---|\n"+
		"| from the start of the controller until all are in place | %s |\n| objects written for that | %d |\n"+
		"| until all say that they have a template's change that changes no byte | %s |\n"+
		"| until all are rendered for a value that changes no byte, and say nothing | %s |\n| objects written for these two | %d |\n",
		cold.Round(time.Millisecond), made, seen.Round(time.Millisecond), looked.Round(time.Millisecond), again)
	if cold > componentsCold {
		t.Errorf("all were in place after %s, the aim is %s", cold, componentsCold)
	}
	if again != 0 {
		t.Errorf("%d objects were written for a change that changes no byte", again)
	}
	if looked > componentsRendered {
		t.Errorf("all were rendered after %s, the aim is %s", looked, componentsRendered)
	}
}

// oldDeployments are taken over by TestComponentsAdopt.
const oldDeployments = 100

// TestComponentsAdopt takes Deployments over that somebody made by hand, and counts how many of their pods have to begin anew: those
// whose Deployment is another one, or has another pod template.
func TestComponentsAdopt(t *testing.T) {
	Only(t)
	ctrl.SetLogger(logr.Discard())
	f := newComponents(t, 0)
	before := map[types.UID]corev1.PodTemplateSpec{}
	for n := range oldDeployments {
		labels := map[string]string{"app": fmt.Sprintf("old-%d", n)}
		old := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespaceOf(n % componentsNamespaces), Name: fmt.Sprintf("old-%d", n)},
			Spec: appsv1.DeploymentSpec{
				Replicas: ptr.To[int32](3), Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "web", Image: "old:41", Ports: []corev1.ContainerPort{{Name: "main", ContainerPort: 8080}},
					Env: []corev1.EnvVar{{Name: "A", Value: "1"}},
				}}}},
			},
		}
		f.must(f.api.Create(t.Context(), old, client.FieldOwner("kubectl-create")))
		before[old.UID] = old.Spec.Template
		component := f.five(n)
		component.Name, component.Spec.Image, component.Spec.Replicas = old.Name, "old:41", ptr.To[int32](3)
		component.Spec.Svc.Type = v1alpha1.ServiceNone
		component.Spec.Adopt = &v1alpha1.Adopt{Workload: old.Name, Selector: labels, Container: "web"}
		f.must(f.api.Create(t.Context(), component))
	}
	start := f.clock.Now()
	f.run()
	defer f.stop()
	f.until("taken over", func(c *v1alpha1.Component) bool {
		return meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionRendered)
	})
	took, restarted, theirs := f.clock.Since(start), 0, 0
	list := &appsv1.DeploymentList{}
	f.must(f.api.List(t.Context(), list))
	for i := range list.Items {
		d := &list.Items[i]
		if metav1.GetControllerOf(d) != nil {
			theirs++
		}
		if template, ok := before[d.UID]; !ok || !equality.Semantic.DeepEqual(template, d.Spec.Template) {
			restarted++
		}
	}
	fmt.Fprintf(os.Stdout, "\n### Component: %d old Deployments taken over\n\n%s\n\n| | |\n|---|---|\n| taken over | %d |\n| after | %s |\n"+
		"| restarted | %d |\n", oldDeployments, machine(), theirs, took.Round(time.Millisecond), restarted)
	if restarted != 0 || theirs != oldDeployments {
		t.Errorf("%d were taken over and %d restarted, want %d and none", theirs, restarted, oldDeployments)
	}
}

// componentFleet is a member with Components.
type componentFleet struct {
	*testing.T
	clock  clock.Clock
	config *rest.Config
	kinds  *kruntime.Scheme
	api    client.Client
	// seen is what the controller's watches have told: looking there costs the server nothing.
	seen cache.Cache
	// programs is where controller-runtime counts.
	programs prometheus.Gatherer
	// applied objects.
	applied atomic.Int64
	stop    func()
}

func newComponents(t *testing.T, count int) *componentFleet {
	t.Helper()
	f := &componentFleet{T: t, clock: clock.RealClock{}, kinds: kruntime.NewScheme()}
	f.must(clientgoscheme.AddToScheme(f.kinds))
	f.must(v1alpha1.AddToScheme(f.kinds))
	server, err := lab.NewAPIServer(t.Context(), lab.APIServerOptions{CRDs: []lab.CRDs{lab.ArgosyCRDs()}})
	f.must(err)
	t.Cleanup(server.Close)
	f.config = rest.CopyConfig(server.Config)
	f.config.QPS = -1
	f.api, err = client.New(f.config, client.Options{Scheme: f.kinds})
	f.must(err)
	f.must(f.api.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "argosy-system"}}))
	for n := range componentsNamespaces {
		f.must(f.api.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(n)}}))
	}
	f.must(f.api.Create(t.Context(), f.template("")))
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for n := worker; n < count; n += 16 {
				f.must(f.api.Create(t.Context(), f.five(n)))
			}
		})
	}
	group.Wait()
	return f
}

// five fields.
func (*componentFleet) five(n int) *v1alpha1.Component {
	return &v1alpha1.Component{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespaceOf(n % componentsNamespaces), Name: fmt.Sprintf("app-%d", n)},
		Spec: v1alpha1.ComponentSpec{
			WorkloadType: v1alpha1.WorkloadDeployment, DevelopLanguage: "python", RunType: "server", Image: "python-demo:latest", Port: 8080,
		},
	}
}

func namespaceOf(n int) string { return fmt.Sprintf("team-%d", n) }

func (f *componentFleet) must(err error) {
	f.Helper()
	if err != nil {
		f.Error(err)
	}
}

// template for all; more is put into the labels of the Deployment.
func (f *componentFleet) template(more string) *v1alpha1.ComponentTemplate {
	out := &v1alpha1.ComponentTemplate{ObjectMeta: metav1.ObjectMeta{Name: "base"}, Spec: v1alpha1.ComponentTemplateSpec{
		Level: v1alpha1.LevelCluster, Objects: []v1alpha1.TemplateObject{{Kind: "Deployment"}},
	}}
	out.Spec.Objects[0].Object.Raw = []byte(`{"metadata":{"labels":{` + more +
		`}},"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"A","value":"1"}]}]}}}}`)
	return out
}

// reword says of the template what every object has anyway.
func (f *componentFleet) reword() {
	f.Helper()
	stored := &v1alpha1.ComponentTemplate{}
	f.must(f.api.Get(f.Context(), client.ObjectKey{Name: "base"}, stored))
	stored.Spec = f.template(`"app.kubernetes.io/managed-by":"argosy"`).Spec
	f.must(f.api.Update(f.Context(), stored))
}

// value gives the cluster a value that no template asks for, and waits until the controller is through with what that may concern: all.
func (f *componentFleet) value() {
	f.Helper()
	before := f.reconciled()
	f.must(f.api.Create(f.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "argosy-system", Name: v1alpha1.ClusterValuesName}, Data: map[string]string{"unasked": "1"},
	}))
	err := wait.PollUntilContextTimeout(f.Context(), 50*time.Millisecond, 10*time.Minute, true, func(context.Context) (bool, error) {
		return f.reconciled() >= before+float64(*components), nil
	})
	f.must(err)
}

// reconciled Components since the start of the process, by the controller's own count.
func (f *componentFleet) reconciled() float64 {
	f.Helper()
	families, err := f.programs.Gather()
	f.must(err)
	total := 0.0
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			ours := func(l *dto.LabelPair) bool { return l.GetName() == "controller" && l.GetValue() == "component" }
			if slices.ContainsFunc(metric.GetLabel(), ours) {
				total += metric.GetCounter().GetValue()
			}
		}
	}
	return total
}

// run starts the controller as its program does.
func (f *componentFleet) run() {
	f.Helper()
	f.programs, metrics.Registry = metrics.Registry, fixture.NewRegistry()
	options := ctrl.Options{Scheme: f.kinds, Metrics: metricsserver.Options{BindAddress: "0"}}
	var err error
	options.Cache.ByObject, err = component.Cache("argosy-system", "argosy-system", deployments.Revisions())
	f.must(err)
	options.Controller.EnableWarmup = ptr.To(true)
	options.Controller.UsePriorityQueue = ptr.To(false)
	options.NewClient = func(config *rest.Config, o client.Options) (client.Client, error) {
		inner, err := client.NewWithWatch(config, o)
		if err != nil {
			return nil, err
		}
		return interceptor.NewClient(inner, interceptor.Funcs{
			Apply: func(ctx context.Context, c client.WithWatch, o kruntime.ApplyConfiguration, opts ...client.ApplyOption) error {
				f.applied.Add(1)
				return c.Apply(ctx, o, opts...)
			},
		}), nil
	}
	options.Controller.SkipNameValidation = ptr.To(true)
	mgr, err := ctrl.NewManager(f.config, options)
	if err != nil {
		f.Fatal(err)
	}
	f.seen = mgr.GetCache()
	ctx, cancel := context.WithCancel(f.Context())
	f.must(component.AddToManager(ctx, mgr, component.Options{Concurrency: 16, Namespace: "argosy-system"}))
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		f.must(mgr.Start(ctx))
	}()
	f.stop = func() {
		cancel()
		<-gone
	}
}

// until waits until all Components are so.
func (f *componentFleet) until(what string, is func(*v1alpha1.Component) bool) {
	f.Helper()
	left := 0
	f.seen.WaitForCacheSync(f.Context())
	err := wait.PollUntilContextTimeout(f.Context(), 250*time.Millisecond, 10*time.Minute, true, func(ctx context.Context) (bool, error) {
		list := &v1alpha1.ComponentList{}
		if err := f.seen.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return false, err
		}
		left = 0
		for i := range list.Items {
			if !is(&list.Items[i]) {
				left++
			}
		}
		return left == 0, nil
	})
	if err != nil {
		f.Fatalf("%d are not %s: %v", left, what, err)
	}
}
