package bench

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util/names"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	autoscaling "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/migration/controller"
	"github.com/argosy-dev/argosy/migration/whitelist"
	"github.com/argosy-dev/argosy/test/fedhpaplane"
	"github.com/argosy-dev/argosy/test/lab"
)

var (
	migrationApps   = flag.Int("migration-apps", 10_000, "TestMigrationTenThousand: how many applications")
	migrationMovers = flag.Int("migration-movers", 1_000, "TestMigrationTenThousand: how many of them move")
	migrationFor    = flag.Duration("migration-for", time.Minute, "TestMigrationTenThousand: how long each span is measured")
)

const (
	// migrationBacks are federated applications that are rolled back while the others move.
	migrationBacks = 10
	// migrationBack is the aim of issue 16: so soon after a person asked, the first policy is closed.
	migrationBack = 2 * time.Second
	// migrationList is how many applications one whitelist holds at most.
	migrationList = 500
)

// TestMigrationTenThousand measures what ten thousand applications cost of which a thousand move, and how soon a rollback begins meanwhile.
// Real: kube-apiserver and etcd, of the control plane and of a member that holds what moves, and the controllers as they ship. Nobody plays
// Karmada: a thousand write their policies and templates, wait for its bindings, and at each look read the member; that is as busy as they
// get.
func TestMigrationTenThousand(t *testing.T) {
	Only(t)
	ctrl.SetLogger(logr.Discard())
	f := newMigrationFleet(t)
	f.join()
	f.each("workloads in the member", *migrationMovers, f.workload)
	f.each("federated ones", migrationBacks, f.federated)
	f.list()
	stop := f.run()
	defer stop()
	f.each("they are there", *migrationApps, f.present)

	f.rest(*migrationFor / 2)
	busy := f.measure(func() { f.rest(*migrationFor) })
	var slowest time.Duration
	for i := range migrationBacks {
		slowest = max(slowest, f.back(i))
	}
	fmt.Fprintf(os.Stdout, "\n### Migration: %d applications of which %d move\n\n%s\n\n", *migrationApps, *migrationMovers, machine())
	seconds := migrationFor.Seconds()
	fmt.Fprintf(os.Stdout, "| | |\n|---|---|\n| passes a second | %.0f |\n| requests of the control plane a second | %.0f |\n"+
		"| requests a pass, with those of the member | %.0f |\n| heap | %s |\n| CPU of the controllers | %.2f cores |\n"+
		"| a rollback begins, the slowest of %d | %s |\n",
		busy.passes/seconds, float64(busy.plane)/seconds, float64(busy.plane+busy.member)/max(busy.passes, 1), mib(busy.heap),
		busy.cpu.Seconds()/seconds, migrationBacks, slowest.Round(time.Millisecond))
	if slowest > migrationBack {
		t.Errorf("a rollback began after %s, the aim is %s", slowest, migrationBack)
	}
}

// migrationFleet is a control plane, a member, and applications.
type migrationFleet struct {
	*testing.T
	clock         clock.Clock
	config        *rest.Config
	memberConfig  *rest.Config
	plane, member client.Client
	kinds         *kruntime.Scheme
	// asked of the control plane by the controllers.
	asked atomic.Int64
}

func newMigrationFleet(t *testing.T) *migrationFleet {
	f := &migrationFleet{T: t, clock: clock.RealClock{}, kinds: kruntime.NewScheme()}
	for _, add := range []func(*kruntime.Scheme) error{
		clientgoscheme.AddToScheme, clusterv1alpha1.Install, configv1alpha1.Install, policyv1alpha1.Install, workv1alpha1.Install,
		workv1alpha2.Install, autoscaling.AddToScheme, v1alpha1.AddToScheme, apiextensionsv1.AddToScheme,
	} {
		f.must(add(f.kinds))
	}
	f.config, f.plane = f.server(lab.KarmadaPlane())
	f.memberConfig, f.member = f.server(lab.APIServerOptions{})
	_, err := envtest.InstallCRDs(f.config, envtest.CRDInstallOptions{
		CRDs: []*apiextensionsv1.CustomResourceDefinition{fedhpaplane.ClusterCRD()}, MaxTime: lab.CRDsWithin,
	})
	f.must(err)
	return f
}

func (f *migrationFleet) server(options lab.APIServerOptions) (*rest.Config, client.Client) {
	config := rest.CopyConfig(lab.StartAPIServer(f.T, options).Config)
	config.QPS = -1
	made, err := client.New(lab.Patient(config), client.Options{Scheme: f.kinds})
	f.must(err)
	return config, made
}

func (f *migrationFleet) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// each runs do for the first n applications, many at a time.
func (f *migrationFleet) each(what string, n int, do func(i int) error) {
	f.Helper()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 24 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !f.Failed(); i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					f.Errorf("%s: %d: %v", what, i, err)
				}
			}
		})
	}
	wg.Wait()
	if f.Failed() {
		f.FailNow()
	}
}

func (f *migrationFleet) rest(d time.Duration) {
	select {
	case <-f.clock.After(d):
	case <-f.Context().Done():
	}
}

// join the member, with the credentials Karmada would have.
func (f *migrationFleet) join() {
	ctx := f.Context()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "karmada"}}
	f.must(f.member.Create(ctx, account))
	f.must(f.member.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "karmada"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}},
	}))
	token := &authenticationv1.TokenRequest{}
	f.must(f.member.SubResource("token").Create(ctx, account, token))
	for _, at := range []client.Client{f.plane, f.member} {
		for i := range spaces() {
			f.must(at.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space(i)}}))
		}
	}
	f.must(f.plane.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.GenerateExecutionSpaceName("member1")}}))
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "member1"},
		Data: map[string][]byte{
			clusterv1alpha1.SecretTokenKey: []byte(token.Status.Token), clusterv1alpha1.SecretCADataKey: f.memberConfig.CAData,
		},
	}
	f.must(f.plane.Create(ctx, secret))
	cluster := &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "member1"}}
	cluster.Spec.APIEndpoint, cluster.Spec.SyncMode = f.memberConfig.Host, clusterv1alpha1.Push
	cluster.Spec.SecretRef = &clusterv1alpha1.LocalSecretReference{Namespace: secret.Namespace, Name: secret.Name}
	f.must(f.plane.Create(ctx, cluster))
	meta.SetStatusCondition(&cluster.Status.Conditions, metav1.Condition{
		Type: clusterv1alpha1.ClusterConditionReady, Status: metav1.ConditionTrue, Reason: "Test",
	})
	cluster.Status.APIEnablements = []clusterv1alpha1.APIEnablement{
		{GroupVersion: "apps/v1", Resources: []clusterv1alpha1.APIResource{{Kind: "Deployment"}}},
	}
	f.must(f.plane.Status().Update(ctx, cluster))
}

// spaces are the namespaces: fifty applications share one.
func spaces() int { return (*migrationApps + migrationBacks + 49) / 50 }

func space(i int) string { return fmt.Sprintf("space-%03d", i) }

// app is the i-th application; those that come back are counted after all others.
func app(i int) (namespace string, ref v1alpha1.WorkloadReference) {
	return space(i / 50), v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: fmt.Sprintf("app-%05d", i)}
}

func deployment(i int) *appsv1.Deployment {
	namespace, ref := app(i)
	labels := map[string]string{"app": ref.Name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ref.Name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](2), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}},
			},
		},
	}
}

// workload of one that moves, at rest in the member.
func (f *migrationFleet) workload(i int) error {
	d := deployment(i)
	if err := f.member.Create(f.Context(), d); err != nil {
		return err
	}
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2,
	}
	return f.member.Status().Update(f.Context(), d)
}

// federated application with its template, its policy and its record.
func (f *migrationFleet) federated(i int) error {
	d, ctx := deployment(*migrationApps+i), f.Context()
	name := whitelist.KeyOf(f.entry(*migrationApps + i)).Name
	d.Labels = map[string]string{v1alpha1.LabelManagedBy: name}
	policy := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: name, Labels: d.Labels}}
	policy.Spec.ResourceSelectors = []policyv1alpha1.ResourceSelector{{APIVersion: "apps/v1", Kind: "Deployment", Name: d.Name}}
	policy.Spec.Placement.ClusterAffinity = &policyv1alpha1.ClusterAffinity{ClusterNames: []string{"member1"}}
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: name}}
	_, migration.Spec.WorkloadReference = app(*migrationApps + i)
	for _, object := range []client.Object{d, policy, migration} {
		if err := f.plane.Create(ctx, object); err != nil {
			return err
		}
	}
	migration.Status = v1alpha1.MigrationStatus{
		Phase: v1alpha1.PhaseFederated, Management: v1alpha1.ManagementFederated,
		Clusters: []v1alpha1.ClusterStatus{{Name: "member1", State: v1alpha1.ClusterOpen, Replicas: 2}},
		Resources: []v1alpha1.ResourceStatus{{
			ResourceReference: v1alpha1.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: d.Name}, Policy: name,
			Clusters: []string{"member1"},
		}},
	}
	return f.plane.Status().Update(ctx, migration)
}

func (f *migrationFleet) entry(i int) *v1alpha1.WhitelistEntry {
	namespace, ref := app(i)
	environment := v1alpha1.EnvironmentProduction
	if i < *migrationMovers {
		environment = v1alpha1.EnvironmentTest
	}
	return &v1alpha1.WhitelistEntry{Namespace: namespace, WorkloadReference: ref, Environment: environment}
}

// list everybody, on as many whitelists as it takes, in one order: who does not move waits for those that do.
func (f *migrationFleet) list() {
	all := *migrationApps + migrationBacks
	for from := 0; from < all; from += migrationList {
		list := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("list-%02d", from/migrationList)}}
		list.Spec.Order, list.Spec.Strategy.BatchWeights = "all", []int32{1}
		for i := from; i < min(from+migrationList, all); i++ {
			list.Spec.Entries = append(list.Spec.Entries, *f.entry(i))
		}
		f.must(f.plane.Create(f.Context(), list))
	}
}

// run the controllers as argosy-controller-manager does.
func (f *migrationFleet) run() (stop func()) {
	cfg := rest.CopyConfig(f.config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return counted{next: next, n: &f.asked} })
	caches := program.Cache()
	caches.DefaultTransform = whitelist.Light(caches.DefaultTransform)
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: f.kinds, Metrics: metricsserver.Options{BindAddress: "0"}, Cache: caches, Controller: program.Queues(),
		GracefulShutdownTimeout: ptr.To(fixture.EndsWithin),
	})
	f.must(err)
	f.must(whitelist.AddToManager(mgr, prometheus.NewRegistry(), nil))
	section := config.DefaultControllerManager().Controllers.Migration
	f.must(controller.AddToManager(mgr, controller.Options{Concurrency: section.Concurrency}))
	ctx, cancel := context.WithCancel(f.Context())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			f.Error(err)
		}
	}
}

// counted is a way to an API server that counts all but watches.
type counted struct {
	next http.RoundTripper
	n    *atomic.Int64
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") == "" {
		c.n.Add(1)
	}
	return c.next.RoundTrip(r)
}

// present waits for an application's record to say something.
func (f *migrationFleet) present(i int) error {
	return wait.PollUntilContextTimeout(f.Context(), 250*time.Millisecond, 20*time.Minute, true, func(ctx context.Context) (bool, error) {
		migration := &v1alpha1.Migration{}
		err := f.plane.Get(ctx, whitelist.KeyOf(f.entry(i)), migration)
		return err == nil && migration.Status.Phase != "", client.IgnoreNotFound(err)
	})
}

// movement is what a span cost.
type movement struct {
	passes        float64
	plane, member int64
	heap          uint64
	cpu           time.Duration
}

func (f *migrationFleet) measure(do func()) movement {
	asked, member, passes, cpu := f.asked.Load(), f.answered(), f.passes(), cpuTime()
	do()
	out := movement{plane: f.asked.Load() - asked, member: f.answered() - member, passes: f.passes() - passes, cpu: cpuTime() - cpu}
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	out.heap = stats.HeapAlloc
	return out
}

// answered is how many requests the member has answered.
func (f *migrationFleet) answered() int64 {
	families, err := scrape(f.Context(), f.memberConfig)
	f.must(err)
	return int64(families.sum("apiserver_request_total", func(labels map[string]string) bool { return labels["verb"] != "WATCH" }))
}

// passes of the migration controllers.
func (f *migrationFleet) passes() float64 {
	families, err := metrics.Registry.Gather()
	f.must(err)
	var sum float64
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "controller" && (label.GetValue() == controller.ControllerName || label.GetValue() == controller.ReturnsName) {
					sum += metric.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

// back rolls a federated application back and says how soon its policy was closed.
func (f *migrationFleet) back(i int) time.Duration {
	key, ctx := whitelist.KeyOf(f.entry(*migrationApps+i)), f.Context()
	migration := &v1alpha1.Migration{}
	migration.Namespace, migration.Name = key.Namespace, key.Name
	began := f.clock.Now()
	f.must(f.plane.Patch(ctx, migration, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"rollback":{"reason":"bench"}}}`))))
	f.must(wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 5*time.Minute, true, func(ctx context.Context) (bool, error) {
		policy := &policyv1alpha1.PropagationPolicy{}
		if err := f.plane.Get(ctx, key, policy); err != nil {
			return false, err
		}
		return policy.Spec.Suspension != nil && ptr.Deref(policy.Spec.Suspension.Dispatching, false), nil
	}))
	return f.clock.Since(began)
}
