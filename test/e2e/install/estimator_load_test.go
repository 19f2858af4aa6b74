package install

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	estimatorclient "github.com/karmada-io/karmada/pkg/estimator/client"
	"github.com/karmada-io/karmada/pkg/util/grpcconnection"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// schedulerWaits is karmada-scheduler's --scheduler-estimator-timeout. A question that is answered within it costs a scheduling nothing but
// time.
const schedulerWaits = 3 * time.Second

// estimatorDies kills one replica, and the other once the first is back: whichever karmada-scheduler was connected to, it was cut off once.
// It asks no question twice, so each time it must still place by what the estimator says.
func (r *release) estimatorDies(t *testing.T) {
	try := 0
	conclusively(t, func() bool {
		try++
		l := startLoad(t, schedulerWaits, r.schedulers(t)...)
		for i := range 2 {
			name := fmt.Sprintf("argosy-estimator-%d", i)
			r.pods[name].Kill()
			l.goesOn(t, 500)
			r.heldApart(t, fmt.Sprintf("apart-%d-%d", try, i))
			r.startAgain(t, name)
		}
		l.goesOn(t, 500)
		return l.ends(t, "one replica was killed, and then the other")
	})
}

// estimatorStops is what an upgrade or a drained node does.
func (r *release) estimatorStops(t *testing.T) {
	conclusively(t, func() bool {
		l := startLoad(t, 0, r.schedulers(t)...)
		r.stops(t, r.estimator, "argosy-estimator-0", l)
		conclusive := l.ends(t, "a replica was told to stop and ended")
		r.startAgain(t, "argosy-estimator-0")
		return conclusive
	})
}

// schedulers are four of Karmada's own clients, each with the one connection that a scheduler has: found by the member's Service, held
// open, and made again only by gRPC's rules. They demand the same answer each time; only a connection that is cut may refuse them.
func (r *release) schedulers(t *testing.T) []question {
	t.Helper()
	config, err := r.lab.Karmada()
	if err != nil {
		t.Fatal(err)
	}
	services := kubernetes.NewForConfigOrDie(lab.Patient(config))
	files := &grpcconnection.ClientConfig{TargetPort: r.estimator.port,
		ServerAuthCAFile: r.lab.PKI("ca.crt"), CertFile: r.lab.PKI("server.crt"), KeyFile: r.lab.PKI("server.key")}
	var want int32
	var out []question
	for range 4 {
		cache := estimatorclient.NewSchedulerEstimatorCache()
		of := estimatorclient.SchedulerEstimatorServiceInfo{
			Name: "member1", NamePrefix: "karmada-scheduler-estimator", Namespace: "karmada-system",
		}
		NewWithT(t).Eventually(func() error { return estimatorclient.EstablishConnection(services, of, cache, files) }).
			WithTimeout(machine.Patience).Should(Succeed())
		t.Cleanup(func() { cache.DeleteCluster("member1") })
		scheduler := estimatorclient.NewSchedulerEstimator(cache, schedulerWaits)
		var got int32
		NewWithT(t).Eventually(func(ctx context.Context) (err error) {
			got, err = room(ctx, scheduler)
			return err
		}).WithContext(t.Context()).WithTimeout(machine.Patience).Should(Succeed())
		if got < 1 || (want != 0 && got != want) {
			t.Fatalf("room for %d replicas, want as another replica says: %d", got, want)
		}
		want = got
		out = append(out, func(ctx context.Context) error {
			// A scheduler does other things too; the estimator runs the member's scheduler for each answer.
			<-clock.RealClock{}.After(again)
			got, err := room(ctx, scheduler)
			switch {
			case err != nil && !strings.Contains(err.Error(), "code = Unavailable"):
				return fmt.Errorf("%w: %w", errOdd, err)
			case err == nil && got != want:
				return falsely("room for %d replicas, want %d", got, want)
			}
			return err
		})
	}
	return out
}

// room for one size of pod, as karmada-scheduler asks for it.
func room(ctx context.Context, scheduler *estimatorclient.SchedulerEstimator) (int32, error) {
	clusters := []*clusterv1alpha1.Cluster{{ObjectMeta: metav1.ObjectMeta{Name: "member1"}}}
	size := &workv1alpha2.ReplicaRequirements{
		Namespace: "default", ResourceRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")},
	}
	answer, err := scheduler.MaxAvailableReplicas(ctx, estimatorclient.ReplicaEstimationRequest{Clusters: clusters, ReplicaRequirements: size})
	if err != nil {
		return 0, err
	}
	return answer[0].Replicas, nil
}
