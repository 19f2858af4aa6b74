package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	deschedulerapp "github.com/karmada-io/karmada/cmd/descheduler/app/options"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/descheduler"
	"github.com/karmada-io/karmada/pkg/estimator/pb"
	"github.com/karmada-io/karmada/pkg/estimator/service"
	karmadaclientset "github.com/karmada-io/karmada/pkg/generated/clientset/versioned"
	"github.com/karmada-io/karmada/pkg/util"
	"google.golang.org/grpc"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	appsapi "github.com/argosy-dev/argosy/api/apps/v1alpha1"
	autoscalingapi "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migrationapi "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	releaseapi "github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/test/fedhpaplane"
	"github.com/argosy-dev/argosy/test/lab"
)

const (
	rescheduleNamespace = "bench"
	// estimatorPortOfBench is the port by which a Service of an estimator is found.
	estimatorPortOfBench = 10352
)

// rescheduleFleet is a control plane with many bindings, two API servers that play its members, and an estimator.
type rescheduleFleet struct {
	*testing.T
	service.UnimplementedEstimatorServer
	clock   clock.Clock
	scheme  *kruntime.Scheme
	plane   *rest.Config
	api     client.Client
	members []client.Client
	// free is what the estimator says of every member.
	free                                     atomic.Int32
	questions, planeRequests, memberRequests atomic.Int64
}

// MaxAvailableReplicas is asked by rescheduling.
func (f *rescheduleFleet) MaxAvailableReplicas(context.Context, *pb.MaxAvailableReplicasRequest) (*pb.MaxAvailableReplicasResponse, error) {
	f.questions.Add(1)
	return &pb.MaxAvailableReplicasResponse{MaxReplicas: f.free.Load()}, nil
}

// GetUnschedulableReplicas is asked by karmada-descheduler, of members that lack ready replicas.
func (f *rescheduleFleet) GetUnschedulableReplicas(context.Context, *pb.UnschedulableReplicasRequest) (
	*pb.UnschedulableReplicasResponse, error) {
	f.questions.Add(1)
	return &pb.UnschedulableReplicasResponse{UnschedulableReplicas: 2}, nil
}

func newRescheduleFleet(t *testing.T) *rescheduleFleet {
	t.Helper()
	f := &rescheduleFleet{T: t, clock: clock.RealClock{}, scheme: kruntime.NewScheme()}
	f.free.Store(10)
	for _, add := range []func(*kruntime.Scheme) error{
		clientgoscheme.AddToScheme, clusterv1alpha1.Install, workv1alpha2.Install, policyv1alpha1.Install, appsapi.AddToScheme,
		autoscalingapi.AddToScheme, migrationapi.AddToScheme, releaseapi.AddToScheme,
	} {
		f.must(add(f.scheme))
	}
	f.plane = rest.CopyConfig(lab.StartAPIServer(t, lab.KarmadaPlane()).Config)
	f.plane.QPS = -1
	_, err := envtest.InstallCRDs(f.plane, envtest.CRDInstallOptions{
		CRDs: []*apiextensionsv1.CustomResourceDefinition{fedhpaplane.ClusterCRD()}, MaxTime: lab.CRDsWithin,
	})
	f.must(err)
	f.api = f.clientOf(f.plane)
	for range 2 {
		member := rest.CopyConfig(lab.StartAPIServer(t, lab.APIServerOptions{}).Config)
		member.QPS = -1
		f.members = append(f.members, f.clientOf(f.counted(member, &f.memberRequests)))
	}
	f.join(f.serveEstimator())
	f.parallel(rescheduleBindings, f.propagate)
	f.parallel(rescheduleWaiting, f.runInMembers)
	return f
}

func (f *rescheduleFleet) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *rescheduleFleet) clientOf(config *rest.Config) client.Client {
	f.Helper()
	c, err := client.New(config, client.Options{Scheme: f.scheme})
	f.must(err)
	f.must(c.Create(f.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: rescheduleNamespace}}))
	return c
}

// parallel does something for 0 to n-1, sixteen at a time.
func (f *rescheduleFleet) parallel(n int, do func(int) error) {
	f.Helper()
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for i := worker; i < n; i += 16 {
				if err := do(i); err != nil {
					f.Errorf("workload %d: %v", i, err)
				}
			}
		})
	}
	group.Wait()
	if f.Failed() {
		f.FailNow()
	}
}

func (f *rescheduleFleet) serveEstimator() (port int) {
	f.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	f.must(err)
	server := grpc.NewServer()
	service.RegisterEstimatorServer(server, f)
	go func() { _ = server.Serve(listener) }() // ends with Stop
	f.Cleanup(server.Stop)
	return listener.Addr().(*net.TCPAddr).Port
}

// join makes the Clusters, Ready and with Deployments, and the Service by which the estimator of each is found.
func (f *rescheduleFleet) join(port int) {
	f.Helper()
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "karmada-system"}}
	f.must(client.IgnoreAlreadyExists(f.api.Create(f.Context(), space)))
	for i := range rescheduleMembers {
		cluster := &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("member", i)},
			Spec: clusterv1alpha1.ClusterSpec{SyncMode: clusterv1alpha1.Push}}
		f.must(f.api.Create(f.Context(), cluster))
		cluster.Status.APIEnablements = []clusterv1alpha1.APIEnablement{{GroupVersion: "apps/v1",
			Resources: []clusterv1alpha1.APIResource{{Name: "deployments", Kind: "Deployment"}}}}
		meta.SetStatusCondition(&cluster.Status.Conditions, metav1.Condition{Type: clusterv1alpha1.ClusterConditionReady,
			Status: metav1.ConditionTrue, Reason: "ClusterReady"})
		f.must(f.api.Status().Update(f.Context(), cluster))
		f.must(f.api.Create(f.Context(), &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: space.Name, Name: fmt.Sprint("karmada-scheduler-estimator-member", i)},
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost",
				Ports: []corev1.ServicePort{{Port: estimatorPortOfBench, TargetPort: intstr.FromInt(port)}}},
		}))
	}
}

func appOf(n int) string { return fmt.Sprint("app-", n) }

// clustersOf a workload: one of the first half, one of the second.
func clustersOf(n int) [2]string {
	const half = rescheduleMembers / 2
	return [2]string{fmt.Sprint("member", n%half), fmt.Sprint("member", half+n%half)}
}

// propagate makes a Deployment's binding, five replicas in each of two members, as karmada-scheduler left it.
func (f *rescheduleFleet) propagate(n int) error {
	placement := &policyv1alpha1.Placement{
		ClusterAffinity: &policyv1alpha1.ClusterAffinity{ClusterNames: []string{clustersOf(n)[0], clustersOf(n)[1]}},
		ReplicaScheduling: &policyv1alpha1.ReplicaSchedulingStrategy{
			ReplicaSchedulingType:     policyv1alpha1.ReplicaSchedulingTypeDivided,
			ReplicaDivisionPreference: policyv1alpha1.ReplicaDivisionPreferenceWeighted,
			WeightPreference:          &policyv1alpha1.ClusterPreferences{DynamicWeight: policyv1alpha1.DynamicWeightByAvailableReplicas},
		}}
	applied, err := json.Marshal(placement)
	if err != nil {
		return err
	}
	b := &workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: rescheduleNamespace, Name: appOf(n) + "-deployment",
		Labels:      map[string]string{"waits": fmt.Sprint(n < rescheduleWaiting)},
		Annotations: map[string]string{util.PolicyPlacementAnnotation: string(applied)}}}
	b.Spec = workv1alpha2.ResourceBindingSpec{
		Resource: workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: rescheduleNamespace, Name: appOf(n)},
		Replicas: 10, Placement: placement,
		Clusters: []workv1alpha2.TargetCluster{{Name: clustersOf(n)[0], Replicas: 5}, {Name: clustersOf(n)[1], Replicas: 5}},
	}
	if err := f.api.Create(f.Context(), b); err != nil {
		return err
	}
	return f.report(n, 5)
}

// report is the binding's status: settled, and how many of the first member's five are ready.
func (f *rescheduleFleet) report(n, ready int) error {
	b := &workv1alpha2.ResourceBinding{}
	if err := f.api.Get(f.Context(), types.NamespacedName{Namespace: rescheduleNamespace, Name: appOf(n) + "-deployment"}, b); err != nil {
		return err
	}
	status := func(ready int) *kruntime.RawExtension {
		return &kruntime.RawExtension{Raw: fmt.Appendf(nil, `{"replicas":5,"readyReplicas":%d}`, ready)}
	}
	b.Status = workv1alpha2.ResourceBindingStatus{
		SchedulerObservedGeneration: b.Generation,
		Conditions: []metav1.Condition{{Type: workv1alpha2.Scheduled, Status: metav1.ConditionTrue, Reason: "Success",
			LastTransitionTime: metav1.Now()}},
		AggregatedStatus: []workv1alpha2.AggregatedStatusItem{
			{ClusterName: clustersOf(n)[0], Status: status(ready)}, {ClusterName: clustersOf(n)[1], Status: status(5)},
		}}
	return f.api.Status().Update(f.Context(), b)
}

// runInMembers makes what a look reads: the template, and in the first member five pods, of which two have waited for long.
func (f *rescheduleFleet) runInMembers(n int) error {
	labels := map[string]string{"app": appOf(n)}
	pod := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "web:1"}}}
	deployment := func(replicas int32) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: rescheduleNamespace, Name: appOf(n), Labels: labels},
			Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod}}}
	}
	if err := f.api.Create(f.Context(), deployment(10)); err != nil {
		return err
	}
	for i, member := range f.members {
		d := deployment(5)
		if err := member.Create(f.Context(), d); err != nil {
			return err
		}
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 5, UpdatedReplicas: 5, ReadyReplicas: int32(3 + 2*i)}
		if err := member.Status().Update(f.Context(), d); err != nil {
			return err
		}
		if i > 0 {
			continue // all of the second member's run
		}
		set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: rescheduleNamespace, Name: appOf(n), Labels: labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}}}
		set.Spec.Selector, set.Spec.Template = d.Spec.Selector, d.Spec.Template
		if err := member.Create(f.Context(), set); err != nil {
			return err
		}
		for k := range 5 {
			if err := f.podOf(member, set, pod, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// podOf a ReplicaSet: the first three run.
func (f *rescheduleFleet) podOf(member client.Client, set *appsv1.ReplicaSet, spec corev1.PodSpec, k int) error {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: rescheduleNamespace, Name: fmt.Sprint(set.Name, "-", k), Labels: set.Labels,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}}, Spec: spec}
	if k < 3 {
		p.Spec.NodeName = "node"
		return member.Create(f.Context(), p)
	}
	if err := member.Create(f.Context(), p); err != nil {
		return err
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable, Message: "0/4 nodes are available: Insufficient cpu",
		LastTransitionTime: metav1.NewTime(f.clock.Now().Add(-time.Hour))}}
	return member.Status().Update(f.Context(), p)
}

// peer runs karmada-descheduler as its program does (cmd/descheduler/app/descheduler.go).
func (f *rescheduleFleet) peer() rescheduleCost {
	f.Helper()
	config := f.counted(f.plane, &f.planeRequests)
	options := deschedulerapp.NewOptions()
	options.SchedulerEstimatorPort, options.SchedulerEstimatorServiceNamespace = estimatorPortOfBench, "karmada-system"
	options.SchedulerEstimatorServicePrefix = "karmada-scheduler-estimator"
	options.SchedulerEstimatorTimeout.Duration = 3 * time.Second
	options.UnschedulableThreshold.Duration, options.DeschedulingInterval.Duration = rescheduleThreshold, rescheduleThreshold
	karmada, err := karmadaclientset.NewForConfig(config)
	f.must(err)
	kube, err := kubernetes.NewForConfig(config)
	f.must(err)
	ctx, cancel := context.WithCancel(f.Context())
	defer cancel()
	go descheduler.NewDescheduler(karmada, kube, options).Run(ctx)
	f.pass(rescheduleThreshold) // it fills its caches, and says nothing of when they are
	out := rescheduleCost{heap: heap()}
	out.rest = f.spend(func() { f.pass(rescheduleIdle) })
	out.round = f.spend(func() {
		out.took = f.lose(func(b *workv1alpha2.ResourceBinding) bool { return b.Spec.Clusters[0].Replicas == 3 })
	})
	return out
}
