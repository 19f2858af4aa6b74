package accuracy

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/karmada-io/karmada/cmd/scheduler-estimator/app/options"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/estimator/pb"
	stock "github.com/karmada-io/karmada/pkg/estimator/server"
	"github.com/karmada-io/karmada/pkg/estimator/service"
	"github.com/karmada-io/karmada/pkg/util/helper"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/daemon"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/estimator/fleet"
	"github.com/argosy-dev/argosy/estimator/inflight"
	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/plugins"
	"github.com/argosy-dev/argosy/estimator/server"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/estimator/wire"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/machine"
	"github.com/argosy-dev/argosy/test/lab/ports"
)

const (
	memberName = "m1"
)

// rig is one API server that is the member and, as far as the estimators need one, the control plane.
type rig struct {
	t         *testing.T
	ctx       context.Context
	api       *lab.APIServer
	config    *rest.Config
	client    kubernetes.Interface
	scheduler string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	ctx := klog.NewContext(context.Background(), klog.Logger{})
	api := lab.StartAPIServer(t, lab.APIServerOptions{})
	config := lab.Patient(api.Config)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	root, err := binaries.FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	// One program with the example plugin compiled in serves every class: a plugin that no profile names is not there.
	program := filepath.Join(t.TempDir(), "rackscheduler")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./test/integration/accuracy/rackscheduler")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the member's scheduler: %v\n%s", err, out)
	}
	return &rig{t: t, ctx: ctx, api: api, config: config, client: client, scheduler: program}
}

func (r *rig) check(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// build makes the world real.
func (r *rig) build(w *world) {
	r.t.Helper()
	for _, class := range w.classes {
		_, err := r.client.SchedulingV1().PriorityClasses().Create(r.ctx, class, metav1.CreateOptions{})
		r.check("creating a priority class", err)
	}
	for _, class := range w.storage {
		_, err := r.client.StorageV1().StorageClasses().Create(r.ctx, class, metav1.CreateOptions{})
		r.check("creating a storage class", err)
	}
	for _, node := range w.nodes {
		created, err := r.client.CoreV1().Nodes().Create(r.ctx, node, metav1.CreateOptions{})
		r.check("creating a node", err)
		// Admission taints a new node as not ready; the node controller, which is not here, would lift it.
		created.Spec.Taints = node.Spec.Taints
		_, err = r.client.CoreV1().Nodes().Update(r.ctx, created, metav1.UpdateOptions{})
		r.check("readying a node", err)
	}
	for _, volume := range w.volumes {
		_, err := r.client.CoreV1().PersistentVolumes().Create(r.ctx, volume, metav1.CreateOptions{})
		r.check("creating a volume", err)
	}
	for _, claim := range w.claims {
		_, err := r.client.CoreV1().PersistentVolumeClaims(claim.Namespace).Create(r.ctx, claim, metav1.CreateOptions{})
		r.check("creating a claim", err)
	}
	for _, pod := range w.pods {
		_, err := r.client.CoreV1().Pods(pod.Namespace).Create(r.ctx, pod, metav1.CreateOptions{})
		r.check("creating a pod", err)
	}
	for _, set := range w.agents {
		_, err := r.client.AppsV1().DaemonSets(metav1.NamespaceDefault).Create(r.ctx, set, metav1.CreateOptions{})
		r.check("creating a DaemonSet", err)
	}
	for _, set := range w.sets {
		_, err := r.client.AppsV1().ReplicaSets(metav1.NamespaceDefault).Create(r.ctx, set, metav1.CreateOptions{})
		r.check("creating a ReplicaSet", err)
	}
	for _, quota := range w.quotas {
		created, err := r.client.CoreV1().ResourceQuotas(metav1.NamespaceDefault).Create(r.ctx, quota, metav1.CreateOptions{})
		r.check("creating a quota", err)
		// Nobody else counts what is used; admission adds to it.
		created.Status.Hard, created.Status.Used = created.Spec.Hard, corev1.ResourceList{}
		for name := range created.Spec.Hard {
			created.Status.Used[name] = resource.MustParse("0")
		}
		_, err = r.client.CoreV1().ResourceQuotas(metav1.NamespaceDefault).UpdateStatus(r.ctx, created, metav1.UpdateOptions{})
		r.check("counting what a quota has used", err)
	}
	one := int32(1)
	_, err := r.client.AppsV1().Deployments(metav1.NamespaceDefault).Create(r.ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       appsv1.DeploymentSpec{Replicas: &one, Selector: w.web(), Template: w.replica},
	}, metav1.CreateOptions{})
	r.check("creating the workload", err)
	if w.promised == nil {
		return
	}
	_, err = r.client.AppsV1().Deployments(metav1.NamespaceDefault).Create(r.ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "promised"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &w.promises, Selector: &metav1.LabelSelector{MatchLabels: w.promised.Labels}, Template: *w.promised,
		},
	}, metav1.CreateOptions{})
	r.check("creating the workload that was promised", err)
}

// ledger holds what is promised to the member.
func (w *world) ledger() *inflight.Ledger {
	ledger := inflight.NewLedger()
	if w.promised == nil {
		return ledger
	}
	binding := &workv1alpha2.ResourceBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "promised-deployment"},
		Spec: workv1alpha2.ResourceBindingSpec{
			Resource: workv1alpha2.ObjectReference{
				APIVersion: "apps/v1", Kind: "Deployment", Namespace: metav1.NamespaceDefault, Name: "promised",
			},
			ReplicaRequirements: helper.GenerateReplicaRequirements(w.promised),
			Clusters:            []workv1alpha2.TargetCluster{{Name: memberName, Replicas: w.promises}},
		},
	}
	ledger.Observe(binding, clock.RealClock{}.Now(), false)
	return ledger
}

// clear removes everything again. Without controllers and kubelets nothing lingers.
func (r *rig) clear(w *world) {
	r.t.Helper()
	now := int64(0)
	remove, all := metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}
	r.check("clearing workloads", r.client.AppsV1().Deployments(metav1.NamespaceDefault).DeleteCollection(r.ctx, remove, all))
	r.check("clearing ReplicaSets", r.client.AppsV1().ReplicaSets(metav1.NamespaceDefault).DeleteCollection(r.ctx, remove, all))
	r.check("clearing quotas", r.client.CoreV1().ResourceQuotas(metav1.NamespaceDefault).DeleteCollection(r.ctx, remove, all))
	r.check("clearing DaemonSets", r.client.AppsV1().DaemonSets(metav1.NamespaceDefault).DeleteCollection(r.ctx, remove, all))
	r.check("clearing pods", r.client.CoreV1().Pods(metav1.NamespaceDefault).DeleteCollection(r.ctx, remove, all))
	r.check("clearing claims", r.client.CoreV1().PersistentVolumeClaims(metav1.NamespaceDefault).DeleteCollection(r.ctx, remove, all))
	r.check("clearing volumes", r.client.CoreV1().PersistentVolumes().DeleteCollection(r.ctx, remove, all))
	r.check("clearing storage classes", r.client.StorageV1().StorageClasses().DeleteCollection(r.ctx, remove, all))
	r.check("clearing nodes", r.client.CoreV1().Nodes().DeleteCollection(r.ctx, remove, all))
	for _, class := range w.classes {
		r.check("clearing a priority class", r.client.SchedulingV1().PriorityClasses().Delete(r.ctx, class.Name, remove))
	}
}

// ask sends the question karmada-scheduler would send, over the wire, with Karmada's own client.
func (r *rig) ask(address string, w *world) int32 {
	r.t.Helper()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	r.check("connecting to an estimator", err)
	defer connection.Close()
	replica := helper.GenerateReplicaRequirements(&w.replica)
	if replica == nil {
		replica = &workv1alpha2.ReplicaRequirements{}
	}
	requirements := &pb.ReplicaRequirements{Namespace: metav1.NamespaceDefault, PriorityClassName: replica.PriorityClassName}
	r.check("encoding the requests", requirements.SetResourceRequest(replica.ResourceRequest))
	if claim := replica.NodeClaim; claim != nil {
		requirements.NodeClaim = &pb.NodeClaim{NodeSelector: claim.NodeSelector}
		r.check("encoding the node affinity", requirements.NodeClaim.SetNodeAffinity(claim.HardNodeAffinity))
		r.check("encoding the tolerations", requirements.NodeClaim.SetTolerations(claim.Tolerations))
	}
	request := &pb.MaxAvailableReplicasRequest{Cluster: memberName, ReplicaRequirements: requirements}
	ctx := metadata.AppendToOutgoingContext(r.ctx, wire.ObjectKey, "kind=Deployment, name=default/web")
	// What an estimator says while the machine stands still is what it could find out in its time.
	const unhurried = 300 * time.Millisecond
	for tries := 1; ; tries++ {
		begun := clock.RealClock{}.Now()
		answer, err := service.NewEstimatorClient(connection).MaxAvailableReplicas(ctx, request, grpc.WaitForReady(true))
		r.check("asking an estimator", err)
		if (clock.RealClock{}).Since(begun) <= unhurried || tries == 5 {
			return answer.MaxReplicas
		}
	}
}

// askStock runs Karmada's own estimator server on the member for one question.
func (r *rig) askStock(w *world) int32 {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	port := freePort(r.t)
	es, err := stock.NewEstimatorServer(ctx, r.client, dynamic.NewForConfigOrDie(r.config),
		discovery.NewDiscoveryClientForConfigOrDie(r.config),
		&options.Options{ClusterName: memberName, ServerPort: port, Parallelism: 2})
	r.check("building Karmada's estimator", err)
	ended := make(chan error, 1)
	go func() { ended <- es.Start(ctx) }()
	answer := r.ask(fmt.Sprintf("127.0.0.1:%d", port), w)
	cancel()
	r.check("running Karmada's estimator", <-ended)
	return answer
}

// askOurs runs ours: mirror, scheduler, templates, gRPC, all as in the binary.
func (r *rig) askOurs(w *world) int32 {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	configuration, err := oracle.LoadConfiguration("", plugins.Registry())
	if w.configuration != "" {
		configuration, err = oracle.ParseConfiguration([]byte(w.configuration), plugins.Registry())
	}
	r.check("reading the scheduler's configuration", err)
	members := fleet.New(func(string) (mirror.Config, error) {
		return mirror.Config{Configuration: configuration, Plugins: plugins.Registry(), Clock: clock.RealClock{},
			ProbeEvery: time.Second, ProbeTimeout: time.Minute, FreshFor: time.Hour, KeepFor: time.Hour}, nil
	})
	members.Join(ctx, memberName, fleet.Connection{Rest: r.config})
	r.check("waiting for the mirror", wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, machine.Patience, true,
		func(context.Context) (bool, error) {
			_, err := members.Member(memberName)
			return err == nil, nil
		}))
	resolver := template.NewResolver(dynamic.NewForConfigOrDie(r.config), discovery.NewDiscoveryClientForConfigOrDie(r.config),
		clock.RealClock{})
	grpcServer := grpc.NewServer(wire.ServerOption())
	wire.Register(grpcServer, server.New(server.Options{
		Members: members, Templates: resolver, Promises: w.ledger(), Clock: clock.RealClock{},
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	r.check("listening", err)
	go func() { _ = grpcServer.Serve(listener) }()
	defer grpcServer.Stop()
	return r.ask(listener.Addr().String(), w)
}

// place creates the replicas, runs the real kube-scheduler until it rests, and counts what it bound. The replicas are gone afterwards.
func (r *rig) place(w *world, replicas int) int32 {
	r.t.Helper()
	pods := r.client.CoreV1().Pods(metav1.NamespaceDefault)
	r.runAgents(w)
	for i := range w.promises {
		_, err := pods.Create(r.ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("promised-%04d", i), Labels: w.promised.Labels}, Spec: *w.promised.Spec.DeepCopy(),
		}, metav1.CreateOptions{})
		r.check("creating a replica that was promised", err)
	}
	stop := func() {}
	defer func() { stop() }()
	if w.first {
		// The queue is filled from a list in no order: who comes first must be placed before the others are there.
		stop = r.startScheduler(w)
		r.rest()
	}
	for i := range replicas {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("web-%04d", i), Labels: w.replica.Labels}, Spec: *w.replica.Spec.DeepCopy(),
		}
		_, err := pods.Create(r.ctx, pod, metav1.CreateOptions{})
		if len(w.quotas) > 0 && apierrors.IsForbidden(err) {
			replicas = i // a quota: so many there are, and no more
			break
		}
		r.check("creating a replica", err)
	}
	if !w.first {
		stop = r.startScheduler(w)
	}
	bound := r.rest()
	stop()
	now := int64(0)
	for i := range replicas {
		r.check("removing a replica", pods.Delete(r.ctx, fmt.Sprintf("web-%04d", i), metav1.DeleteOptions{GracePeriodSeconds: &now}))
	}
	return bound
}

// rest waits until kube-scheduler has decided on every pod, and counts the replicas that it bound.
func (r *rig) rest() int32 {
	r.t.Helper()
	pods := r.client.CoreV1().Pods(metav1.NamespaceDefault)
	bound, quiet := int32(0), 0
	r.check("waiting for kube-scheduler to rest",
		wait.PollUntilContextTimeout(r.ctx, 200*time.Millisecond, machine.Patience, true, func(context.Context) (bool, error) {
			list, err := pods.List(r.ctx, metav1.ListOptions{})
			if err != nil {
				return false, err
			}
			undecided, now := 0, int32(0)
			for i := range list.Items {
				pod := &list.Items[i]
				switch {
				case pod.Spec.NodeName != "":
					if pod.Labels[appLabel] == "web" && pod.Name != "web-old" {
						now++
					}
				case !mirror.Unschedulable(pod, 0, metav1.Now().Time):
					undecided++
				}
			}
			quiet++
			if undecided > 0 || now != bound {
				bound, quiet = now, 0
			}
			return quiet >= 5, nil
		}))
	return bound
}

// runAgents lets Kubernetes' own DaemonSet controller make the pods that the DaemonSets lack.
func (r *rig) runAgents(w *world) {
	r.t.Helper()
	if len(w.agents) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	factory := informers.NewSharedInformerFactory(r.client, 0)
	controller, err := daemon.NewDaemonSetsController(ctx, factory.Apps().V1().DaemonSets(), factory.Apps().V1().ControllerRevisions(),
		factory.Core().V1().Pods(), factory.Core().V1().Nodes(), r.client, flowcontrol.NewBackOff(time.Second, time.Minute))
	r.check("building the DaemonSet controller", err)
	factory.Start(ctx.Done())
	go controller.Run(ctx, 1)
	r.check("waiting for the DaemonSets' pods", wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, machine.Patience, true,
		func(ctx context.Context) (bool, error) {
			list, err := r.client.AppsV1().DaemonSets(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{})
			if err != nil {
				return false, err
			}
			for i := range list.Items {
				status := list.Items[i].Status
				if status.ObservedGeneration != list.Items[i].Generation || status.CurrentNumberScheduled < status.DesiredNumberScheduled ||
					status.DesiredNumberScheduled == 0 {
					return false, nil
				}
			}
			return true, nil
		}))
}

func (r *rig) startScheduler(w *world) func() {
	r.t.Helper()
	configuration := cmp.Or(w.really, w.configuration)
	if configuration == "" {
		configuration = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nleaderElection: {leaderElect: false}\n"
	}
	configuration += fmt.Sprintf("clientConnection: {kubeconfig: %q, qps: 1000, burst: 2000}\n", r.api.Kubeconfig)
	path := filepath.Join(r.t.TempDir(), "scheduler.yaml")
	r.check("writing the scheduler's configuration", os.WriteFile(path, []byte(configuration), 0o600))
	log, err := os.Create(filepath.Join(r.t.TempDir(), "scheduler.log"))
	r.check("creating the scheduler's log", err)
	command := exec.Command(r.scheduler, "--config="+path, "--secure-port=0")
	command.Stdout, command.Stderr = log, log
	r.check("starting kube-scheduler", command.Start())
	stopped := false
	return func() {
		if stopped {
			return
		}
		stopped = true
		_ = command.Process.Kill()
		_ = command.Wait()
		if r.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			r.t.Logf("kube-scheduler: %s", text[max(0, len(text)-4000):])
		}
		_ = log.Close()
	}
}

// freePort is one that no connection on its way out is given meanwhile.
func freePort(t *testing.T) int {
	t.Helper()
	pool, err := ports.NewPool()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	port, err := pool.Take()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// toPlace is 1.2 times the larger answer, and never so few that a wrong answer of zero goes unseen.
func toPlace(ours, stock int32) int {
	return min(600, max(12, int(math.Ceil(1.2*float64(max(ours, stock))))))
}
