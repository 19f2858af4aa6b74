// Package reschedule tests rescheduling against real API servers: one is karmada-apiserver, one for each of two members. The test plays
// Karmada, the members' schedulers and their estimators.
package reschedule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2/textlogger"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	appsv1alpha1 "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingv1alpha1 "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/reschedule"
	"github.com/argosy-dev/argosy/test/fedhpaplane"
	"github.com/argosy-dev/argosy/test/lab"
)

var (
	scheme      = runtime.NewScheme()
	planeConfig *rest.Config
	// plane and members are clients of the test's own: nothing is cached or injected.
	plane   client.Client
	members = map[string]client.Client{}
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctrl.SetLogger(textlogger.NewLogger(textlogger.NewConfig()))
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, clusterv1alpha1.Install, workv1alpha2.Install, policyv1alpha1.Install,
		kruisev1alpha1.AddToScheme, appsv1alpha1.AddToScheme, autoscalingv1alpha1.AddToScheme, migrationv1alpha1.AddToScheme,
		releasev1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			fmt.Fprintln(os.Stderr, "building the scheme:", err)
			return 1
		}
	}
	for _, name := range []string{"", "member1", "member2"} {
		options := lab.KarmadaPlane()
		if name != "" {
			options = lab.APIServerOptions{CRDs: []lab.CRDs{lab.KruiseCRDs()}}
		}
		running, err := lab.NewAPIServer(context.Background(), options)
		if err != nil {
			fmt.Fprintln(os.Stderr, "starting an API server:", err)
			return 1
		}
		defer running.Close()
		made, err := client.New(lab.Patient(running.Config), client.Options{Scheme: scheme})
		if err != nil {
			fmt.Fprintln(os.Stderr, "making a client:", err)
			return 1
		}
		if name != "" {
			members[name] = made
			continue
		}
		plane, planeConfig = made, running.Config
		clusters := envtest.CRDInstallOptions{
			CRDs: []*apiextensionsv1.CustomResourceDefinition{fedhpaplane.ClusterCRD()}, MaxTime: lab.CRDsWithin,
		}
		if _, err := envtest.InstallCRDs(planeConfig, clusters); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if err := join(); err != nil {
		fmt.Fprintln(os.Stderr, "joining members:", err)
		return 1
	}
	return lab.Judge(m)
}

// join makes the Clusters, Ready and with CloneSets.
func join() error {
	for name := range members {
		cluster := &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: clusterv1alpha1.ClusterSpec{SyncMode: clusterv1alpha1.Push}}
		if err := plane.Create(context.Background(), cluster); err != nil {
			return err
		}
		cluster.Status.APIEnablements = []clusterv1alpha1.APIEnablement{{GroupVersion: "apps.kruise.io/v1alpha1",
			Resources: []clusterv1alpha1.APIResource{{Name: "clonesets", Kind: "CloneSet"}}}}
		meta.SetStatusCondition(&cluster.Status.Conditions, metav1.Condition{Type: clusterv1alpha1.ClusterConditionReady,
			Status: metav1.ConditionTrue, Reason: "ClusterReady"})
		if err := plane.Status().Update(context.Background(), cluster); err != nil {
			return err
		}
	}
	return nil
}

// reachable are the members, but those that are cut off.
type reachable struct{ silent *string }

func (r reachable) Client(_ context.Context, cluster string) (client.Client, error) {
	if cluster == *r.silent {
		return nil, errors.New("dial tcp 192.0.2.1:443: connection refused")
	}
	return members[cluster], nil
}

// room is what the test's estimators say.
type room struct {
	mu   sync.Mutex
	free map[string]int32
	// careful is how many questions are answered with zero first.
	careful, asked int
}

func (r *room) Free(_ context.Context, cluster string, _ *workv1alpha2.ResourceBinding) (int32, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked++; r.asked <= r.careful {
		return 0, true
	}
	n, ok := r.free[cluster]
	return n, ok
}

func (r *room) questions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// world is one test's namespace on all servers.
type world struct {
	*gomega.WithT
	t         *testing.T
	ctx       context.Context
	namespace string
	clock     *clocktesting.FakeClock
	room      *room
	silent    string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "reschedule-"}}
	if err := plane.Create(t.Context(), object); err != nil {
		t.Fatalf("creating a namespace: %v", err)
	}
	g := gomega.NewWithT(t)
	g.SetDefaultEventuallyTimeout(2 * time.Minute)
	g.SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	w := &world{WithT: g, t: t, ctx: t.Context(), namespace: object.Name,
		clock: clocktesting.NewFakeClock(clock.RealClock{}.Now().UTC().Truncate(time.Second)), room: &room{free: map[string]int32{"member2": 7}}}
	for _, member := range members {
		w.create(member, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	}
	return w
}

func (w *world) create(c client.Client, o client.Object) {
	w.t.Helper()
	if err := c.Create(w.ctx, o); err != nil {
		w.t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
	}
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

// application is a CloneSet over both members: five replicas in member1, of which two wait for a node, and four that run in member2.
func (w *world) application(name string) {
	w.t.Helper()
	w.create(plane, w.cloneSet(name, 9))
	for member, running := range map[string]int{"member1": 3, "member2": 4} {
		waiting := map[string]int{"member1": 2}[member]
		in := w.cloneSet(name, int32(running+waiting))
		w.create(members[member], in)
		in.Status = kruisev1alpha1.CloneSetStatus{ObservedGeneration: in.Generation, Replicas: int32(running + waiting),
			UpdatedReplicas: int32(running + waiting), ReadyReplicas: int32(running)}
		w.Expect(members[member].Status().Update(w.ctx, in)).To(gomega.Succeed())
		for i := range running + waiting {
			w.pod(member, fmt.Sprintf("%s-%d", name, i), in, i < running)
		}
	}
	b := w.binding(name)
	w.create(plane, b)
	b.Status.AggregatedStatus = []workv1alpha2.AggregatedStatusItem{
		{ClusterName: "member1", Status: &runtime.RawExtension{Raw: []byte(`{"replicas":5,"readyReplicas":3}`)}},
		{ClusterName: "member2", Status: &runtime.RawExtension{Raw: []byte(`{"replicas":4,"readyReplicas":4}`)}},
	}
	b.Status.SchedulerObservedGeneration = b.Generation
	b.Status.Conditions = []metav1.Condition{{Type: workv1alpha2.Scheduled, Status: metav1.ConditionTrue, Reason: "Success",
		LastTransitionTime: metav1.Now()}}
	w.Expect(plane.Status().Update(w.ctx, b)).To(gomega.Succeed())
}

func (w *world) cloneSet(name string, replicas int32) *kruisev1alpha1.CloneSet {
	labels := map[string]string{"app": name}
	return &kruisev1alpha1.CloneSet{ObjectMeta: w.meta(name), Spec: kruisev1alpha1.CloneSetSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "web:1"}}},
		},
	}}
}

func (w *world) binding(name string) *workv1alpha2.ResourceBinding {
	return &workv1alpha2.ResourceBinding{ObjectMeta: w.meta(name + "-cloneset"), Spec: workv1alpha2.ResourceBindingSpec{
		Resource: workv1alpha2.ObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Namespace: w.namespace, Name: name},
		Replicas: 9, Clusters: []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 5}, {Name: "member2", Replicas: 4}},
		Placement: &policyv1alpha1.Placement{
			ClusterAffinity: &policyv1alpha1.ClusterAffinity{ClusterNames: []string{"member1", "member2"}},
			ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{
				ReplicaSchedulingType:     policyv1alpha1.ReplicaSchedulingTypeDivided,
				ReplicaDivisionPreference: policyv1alpha1.ReplicaDivisionPreferenceWeighted,
				WeightPreference:          &policyv1alpha1.ClusterPreferences{DynamicWeight: policyv1alpha1.DynamicWeightByAvailableReplicas},
			}},
	}}
}

// pod runs, or has waited for a node for six minutes.
func (w *world) pod(member, name string, owner *kruisev1alpha1.CloneSet, runs bool) {
	w.t.Helper()
	pod := &corev1.Pod{ObjectMeta: w.meta(name), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "web:1"}}}}
	pod.Labels = owner.Spec.Selector.MatchLabels
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, kruisev1alpha1.SchemeGroupVersion.WithKind("CloneSet"))}
	if runs {
		pod.Spec.NodeName = "node"
	}
	w.create(members[member], pod)
	if runs {
		return
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable, Message: "0/4 nodes are available: Insufficient cpu",
		LastTransitionTime: metav1.NewTime(w.clock.Now().Add(-6 * time.Minute))}}
	w.Expect(members[member].Status().Update(w.ctx, pod)).To(gomega.Succeed())
}

// lead starts a controller with the usual settings; the function it returns kills it. funcs see each of its requests; nil for none.
func (w *world) lead(access *rest.Config, funcs *interceptor.Funcs) (kill func()) {
	w.t.Helper()
	return fixture.Leader{Config: access, Scheme: scheme, Namespace: w.namespace, Requests: funcs,
		Add: func(ctx context.Context, mgr ctrl.Manager) error {
			return reschedule.AddToManager(ctx, mgr, reschedule.Options{
				Config: config.DefaultControllerManager().Controllers.Reschedule, Members: reachable{&w.silent}, Estimator: w.room, Clock: w.clock,
				Metrics: prometheus.NewRegistry(),
			})
		}}.Start(w.t)
}

// book is the division, whose sum is held to be the binding's.
func (w *world) book(name string) map[string]int32 {
	b := w.binding(name)
	if err := plane.Get(w.ctx, client.ObjectKeyFromObject(b), b); err != nil {
		w.t.Errorf("reading the binding: %v", err)
	}
	division, sum := map[string]int32{}, int32(0)
	for _, c := range b.Spec.Clusters {
		division[c.Name] = c.Replicas
		sum += c.Replicas
	}
	if sum != b.Spec.Replicas {
		w.t.Errorf("the book of %s has %d of %d replicas: %v", name, sum, b.Spec.Replicas, division)
	}
	return division
}

// said are the messages of events about an object, by reason.
func (w *world) said(kind, name string) map[string]string {
	var list corev1.EventList
	if err := plane.List(w.ctx, &list, client.InNamespace(w.namespace)); err != nil {
		w.t.Errorf("listing events: %v", err)
	}
	out := map[string]string{}
	for _, e := range list.Items {
		if e.InvolvedObject.Kind == kind && e.InvolvedObject.Name == name {
			out[e.Reason] = e.Message
		}
	}
	return out
}

// later is what is said of a binding while time passes, twice as fast as ours.
func (w *world) later(binding string) map[string]string {
	w.clock.Step(100 * time.Millisecond)
	return w.said("ResourceBinding", binding)
}

// observe is the scheduler's part: it has seen the binding, whose sum is right, and schedules nothing.
func (w *world) observe(name string) {
	w.t.Helper()
	w.Eventually(func() error {
		b := w.binding(name)
		if err := plane.Get(w.ctx, client.ObjectKeyFromObject(b), b); err != nil {
			return err
		}
		b.Status.SchedulerObservedGeneration = b.Generation
		return plane.Status().Update(w.ctx, b)
	}).Should(gomega.Succeed())
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
