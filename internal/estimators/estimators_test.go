package estimators

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/estimator/pb"
	"github.com/karmada-io/karmada/pkg/estimator/service"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/testing/protocmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/internal/config"
)

// answering is an estimator on a real connection. That argosy-estimator and Karmada's own answer to what is asked is proved in test/e2e.
type answering struct {
	service.UnimplementedEstimatorServer
	replicas int32
	asked    chan *pb.MaxAvailableReplicasRequest
	// hold keeps the answer back until the asker has given up.
	hold bool
}

func (a *answering) MaxAvailableReplicas(ctx context.Context, req *pb.MaxAvailableReplicasRequest) (*pb.MaxAvailableReplicasResponse,
	error) {
	if a.hold {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	a.asked <- req
	return &pb.MaxAvailableReplicasResponse{MaxReplicas: a.replicas}, nil
}

// serve starts it and returns its port.
func (a *answering) serve(t *testing.T) int {
	t.Helper()
	a.asked = make(chan *pb.MaxAvailableReplicasRequest, 8)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	service.RegisterEstimatorServer(server, a)
	go func() { _ = server.Serve(listener) }() // ends with Stop
	t.Cleanup(server.Stop)
	return listener.Addr().(*net.TCPAddr).Port
}

func estimatorService(kind corev1.ServiceType, target int) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "karmada-system", Name: "karmada-scheduler-estimator-m1"},
		Spec: corev1.ServiceSpec{
			Type: kind, ExternalName: "localhost", Ports: []corev1.ServicePort{{Port: 10352, TargetPort: intstr.FromInt(target)}},
		},
	}
}

func askerOf(t *testing.T, clk *clocktesting.FakeClock, objects ...client.Object) (*Estimators, client.Client) {
	t.Helper()
	section := config.DefaultControllerManager().Controllers.FedHPA.Estimators
	section.TimeoutSeconds = 180
	reader := fake.NewClientBuilder().WithObjects(objects...).Build()
	asker, err := New(reader, section, clk)
	if err != nil {
		t.Fatal(err)
	}
	return asker, reader
}

// closedPort is one nobody listens on.
func closedPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// TestEstimatorAnswers: an answer is an answer; everything else is unknown, soon, and never zero.
func TestEstimatorAnswers(t *testing.T) {
	cases := map[string]struct {
		service func(*testing.T) *corev1.Service
		// timeout in seconds, where it is what ends the question.
		timeout int32
		want    int32
		wantOK  bool
	}{
		"14 fit": {func(t *testing.T) *corev1.Service {
			return estimatorService(corev1.ServiceTypeExternalName, (&answering{replicas: 14}).serve(t))
		}, 0, 14, true},
		"none fits is an answer": {func(t *testing.T) *corev1.Service {
			return estimatorService(corev1.ServiceTypeExternalName, (&answering{}).serve(t))
		}, 0, 0, true},
		"-1 says ask somebody else": {func(t *testing.T) *corev1.Service {
			return estimatorService(corev1.ServiceTypeExternalName, (&answering{replicas: -1}).serve(t))
		}, 0, 0, false},
		"too slow": {func(t *testing.T) *corev1.Service {
			return estimatorService(corev1.ServiceTypeExternalName, (&answering{hold: true}).serve(t))
		}, 1, 0, false},
		"nobody listens": {func(t *testing.T) *corev1.Service {
			return estimatorService(corev1.ServiceTypeExternalName, closedPort(t))
		}, 0, 0, false},
		"a Service of another type": {func(t *testing.T) *corev1.Service {
			return estimatorService(corev1.ServiceTypeClusterIP, (&answering{replicas: 14}).serve(t))
		}, 1, 0, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			clk := clocktesting.NewFakeClock(time.Unix(0, 0))
			asker, _ := askerOf(t, clk, tc.service(t))
			if tc.timeout != 0 {
				asker.cfg.TimeoutSeconds = tc.timeout
			}
			binding := &workv1alpha2.ResourceBinding{}
			n, ok := asker.Free(t.Context(), "m1", binding)
			if ok != tc.wantOK || ok && n != tc.want {
				t.Errorf("free = %d, %v, want %d, %v", n, ok, tc.want, tc.wantOK)
			}
		})
	}
}

// TestEstimatorIsAskedForThePod: the question bears all that decides where a replica fits.
func TestEstimatorIsAskedForThePod(t *testing.T) {
	estimator := &answering{replicas: 1}
	asker, _ := askerOf(t, clocktesting.NewFakeClock(time.Unix(0, 0)), estimatorService(corev1.ServiceTypeExternalName, estimator.serve(t)))
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}
	binding := &workv1alpha2.ResourceBinding{Spec: workv1alpha2.ResourceBindingSpec{ReplicaRequirements: &workv1alpha2.ReplicaRequirements{
		NodeClaim:       &workv1alpha2.NodeClaim{NodeSelector: map[string]string{"disk": "fast"}, Tolerations: []corev1.Toleration{{Key: "gpu"}}},
		ResourceRequest: requests, Namespace: "shop", PriorityClassName: "high",
	}}}
	if _, ok := asker.Free(t.Context(), "m1", binding); !ok {
		t.Fatal("no answer")
	}
	requirements := &pb.ReplicaRequirements{NodeClaim: &pb.NodeClaim{NodeSelector: map[string]string{"disk": "fast"}},
		Namespace: "shop", PriorityClassName: "high"}
	if err := errors.Join(requirements.SetResourceRequest(requests),
		requirements.NodeClaim.SetTolerations([]corev1.Toleration{{Key: "gpu"}})); err != nil {
		t.Fatal(err)
	}
	want := &pb.MaxAvailableReplicasRequest{Cluster: "m1", ReplicaRequirements: requirements}
	if diff := cmp.Diff(want, <-estimator.asked, protocmp.Transform()); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
}

// TestEstimatorMoves: a Service that points elsewhere is followed after a minute.
func TestEstimatorMoves(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Unix(0, 0))
	old, moved := &answering{replicas: 1}, &answering{replicas: 2}
	oldPort, newPort := old.serve(t), moved.serve(t)
	svc := estimatorService(corev1.ServiceTypeExternalName, oldPort)
	asker, c := askerOf(t, clk, svc)
	answers := func() int32 {
		n, ok := asker.Free(t.Context(), "m1", &workv1alpha2.ResourceBinding{})
		if !ok {
			t.Fatal("no answer")
		}
		return n
	}
	if n := answers(); n != 1 {
		t.Fatalf("the first answers %d", n)
	}
	svc = estimatorService(corev1.ServiceTypeExternalName, newPort)
	if err := c.Update(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	clk.Step(addressFresh)
	if n := answers(); n != 2 {
		t.Errorf("after the move %d is answered, want 2", n)
	}
}

// TestSilentEstimatorIsLeftAlone: one that says nothing costs one question in a while, not every FedHPA's worker its patience; then it is
// asked on a new connection.
func TestSilentEstimatorIsLeftAlone(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Unix(0, 0))
	asker, _ := askerOf(t, clk, estimatorService(corev1.ServiceTypeExternalName, (&answering{hold: true}).serve(t)))
	asker.cfg.TimeoutSeconds = 1
	foundSilent := func(at time.Time) {
		t.Helper()
		if _, ok := asker.Free(t.Context(), "m1", &workv1alpha2.ResourceBinding{}); ok {
			t.Fatal("an answer")
		}
		if since, silent := asker.silent["m1"]; !silent || !since.Equal(at) || len(asker.conns) != 0 {
			t.Fatalf("silent since %s (%v), %d connections, want since %s and none", since, silent, len(asker.conns), at)
		}
	}
	first := clk.Now()
	foundSilent(first)
	clk.Step(silentFor - time.Second)
	for range 1000 {
		foundSilent(first)
	}
	clk.Step(time.Second)
	foundSilent(clk.Now())
}

// TestUnusedConnectionsAreClosed: of a cluster that nobody asks about any more, no connection is kept.
func TestUnusedConnectionsAreClosed(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Unix(0, 0))
	asker, _ := askerOf(t, clk)
	connected := func(cluster string) {
		if _, err := asker.connection(t.Context(), cluster); err != nil {
			t.Fatal(err)
		}
	}
	connected("unjoined")
	for range int(connectionIdle / addressFresh) {
		clk.Step(addressFresh)
		connected("m1")
	}
	if got := slices.Collect(maps.Keys(asker.conns)); !slices.Equal(got, []string{"m1"}) {
		t.Errorf("connections are held to %v, want m1 alone", got)
	}
}

// TestEstimatorAddress: without a Service the estimator is looked for by its cluster-local name, as karmada-scheduler does.
func TestEstimatorAddress(t *testing.T) {
	asker, _ := askerOf(t, clocktesting.NewFakeClock(time.Unix(0, 0)))
	address, err := asker.address(t.Context(), "m1")
	if want := "karmada-scheduler-estimator-m1.karmada-system.svc:10352"; err != nil || address != want {
		t.Errorf("address = %q, %v, want %q", address, err, want)
	}
}

// TestNobodyIsAsked: a section that is disabled knows nothing, and never says zero.
func TestNobodyIsAsked(t *testing.T) {
	asker, err := New(fake.NewClientBuilder().Build(), config.Estimators{Mode: config.Disabled}, clocktesting.NewFakeClock(time.Unix(0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := asker.Free(t.Context(), "m1", &workv1alpha2.ResourceBinding{}); ok {
		t.Error("room is known")
	}
	if _, ok := asker.Unschedulable(t.Context(), "m1", &workv1alpha2.ResourceBinding{}); ok {
		t.Error("what waits is known")
	}
}

// TestAnAddressIsAskedForAlone: while karmada-apiserver takes its time with the address of one estimator, others are asked.
func TestAnAddressIsAskedForAlone(t *testing.T) {
	served := estimatorService(corev1.ServiceTypeExternalName, (&answering{replicas: 14}).serve(t))
	clk := clocktesting.NewFakeClock(time.Unix(100000, 0))
	asker, control := askerOf(t, clk, served)
	held := 0
	asker.reader = interceptor.NewClient(control.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			if !asker.mu.TryLock() {
				held++
			} else {
				asker.mu.Unlock()
			}
			return c.Get(ctx, key, o, options...)
		},
	})
	if got, ok := asker.Free(t.Context(), "m1", &workv1alpha2.ResourceBinding{}); !ok || got != 14 || held > 0 {
		t.Errorf("answered %d (%t), and everybody waited for %d of the questions for its address", got, ok, held)
	}
}
