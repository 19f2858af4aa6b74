package install

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// apart asks for three pods on three nodes, of which the member has one. Free sums have room for all of them; only the
// template, read with the estimator's own rights, and the member's scheduler say that one fits.
const apart = `
apiVersion: v1
kind: Namespace
metadata: {name: apart}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: apart, name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]
      containers: [{name: web, image: registry.example/web:v1, resources: {requests: {cpu: 100m}}}]
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: apart, name: web}
spec:
  schedulerName: argosy
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web}]
  placement:
    clusterAffinity: {clusterNames: [member1]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}
`

// estimated lets the real karmada-scheduler find the estimator as Karmada's installers set it up: by the Services.
func (r *release) estimated(t *testing.T) {
	stop, err := r.lab.StartScheduler(t.Context(), "argosy", r.estimator.port)
	if err != nil {
		t.Fatal(err)
	}
	r.whole.Cleanup(stop)
	NewWithT(t).Eventually(func(ctx context.Context) error { return r.registered(ctx, "member1") }).WithContext(t.Context()).
		WithTimeout(machine.Patience).Should(Succeed())
	tries := 0
	// A scheduler that has just started places by free sums until it is connected.
	NewWithT(t).Eventually(func() string {
		tries++
		return r.heldAs(t, fmt.Sprintf("apart-first-%d", tries))
	}).WithContext(t.Context()).WithTimeout(machine.Patience).
		Should(ContainSubstring(apartIsHeld), "what karmada-scheduler says of three pods that one node cannot hold apart")
}

// apartIsHeld is what karmada-scheduler says of three pods that one node cannot hold apart.
const apartIsHeld = "Clusters available replicas 1 are not enough to schedule"

// heldApart demands that karmada-scheduler goes by the estimator. It asks once: what it was not answered while the machine stood still, it
// is made to ask again.
func (r *release) heldApart(t *testing.T, namespace string) {
	t.Helper()
	now := clock.RealClock{}
	for tries := 1; ; tries++ {
		start := now.Now()
		said := r.heldAs(t, fmt.Sprintf("%s-%d", namespace, tries))
		if strings.Contains(said, apartIsHeld) {
			return
		}
		if tries == machine.Tries || !machine.This().Disturbed(start, now.Now()) {
			t.Fatalf("of three pods that one node cannot hold apart karmada-scheduler says %q, want %q", said, apartIsHeld)
		}
	}
}

// heldAs propagates three pods into a namespace of this name, waits for what karmada-scheduler makes of them, and takes them away again.
func (r *release) heldAs(t *testing.T, namespace string) (said string) {
	t.Helper()
	if err := demo.Apply(t.Context(), r.karmada, strings.ReplaceAll(apart, "apart", namespace)); err != nil {
		t.Fatal(err)
	}
	g := NewWithT(t)
	g.Eventually(func(ctx context.Context) string {
		said = r.scheduling(ctx, namespace)
		return said
	}).WithContext(t.Context()).WithTimeout(machine.Patience).
		Should(SatisfyAny(ContainSubstring(apartIsHeld), HavePrefix(workv1alpha2.BindingReasonSuccess+": ")))
	if err := r.karmada.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	// karmada-scheduler goes on trying, and would place by free sums what it tries while the next replica dies.
	g.Eventually(func(ctx context.Context) bool {
		return apierrors.IsNotFound(r.karmada.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "web-deployment"},
			&workv1alpha2.ResourceBinding{}))
	}).WithContext(t.Context()).WithTimeout(machine.Patience).Should(BeTrue(), "the binding in namespace %s is still there", namespace)
	if !strings.Contains(said, apartIsHeld) {
		// Pods came of it, which would take room from others.
		g.Eventually(func(ctx context.Context) bool {
			_, err := r.clients.CoreV1().Namespaces().Get(ctx, namespace, getOptions)
			return apierrors.IsNotFound(err)
		}).WithContext(t.Context()).WithTimeout(machine.Patience).Should(BeTrue(), "the member still has namespace %s", namespace)
	}
	return said
}

// scheduling is the scheduler's own message.
func (r *release) scheduling(ctx context.Context, namespace string) string {
	binding := &workv1alpha2.ResourceBinding{}
	if err := r.karmada.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "web-deployment"}, binding); err != nil {
		return err.Error()
	}
	condition := meta.FindStatusCondition(binding.Status.Conditions, workv1alpha2.Scheduled)
	if condition == nil {
		return "not scheduled yet"
	}
	return condition.Reason + ": " + condition.Message
}

func (r *release) registered(ctx context.Context, member string) error {
	service := &corev1.Service{}
	if err := r.karmada.Get(ctx, client.ObjectKey{Namespace: "karmada-system", Name: "karmada-scheduler-estimator-" + member},
		service); err != nil {
		return err
	}
	if service.Spec.ExternalName != "localhost" || len(service.Spec.Ports) != 1 ||
		service.Spec.Ports[0].TargetPort.IntValue() != r.estimator.port {
		return fmt.Errorf("the Service leads to %+v", service.Spec)
	}
	return nil
}

// joined makes a Cluster as karmadactl join does, of the same member by another name, and takes it away again.
func (r *release) joined(t *testing.T) {
	// Well below the minute after which the estimator looks without being told.
	const atOnce = 15 * time.Second
	now := clock.RealClock{}
	for tries := 1; ; tries++ {
		start := now.Now()
		took := r.joins(t, fmt.Sprintf("newcomer-%d", tries))
		t.Logf("registered %s after it joined", took.Round(10*time.Millisecond))
		if took <= atOnce {
			return
		}
		if tries == machine.Tries || !machine.This().Disturbed(start, now.Now()) {
			t.Fatalf("registered %s after it joined, want %s at most", took, atOnce)
		}
	}
}

// joins is one member's coming and going. It returns how long its registration took.
func (r *release) joins(t *testing.T, name string) time.Duration {
	t.Helper()
	first := &clusterv1alpha1.Cluster{}
	if err := r.karmada.Get(t.Context(), client.ObjectKey{Name: "member1"}, first); err != nil {
		t.Fatal(err)
	}
	second := &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: first.Spec}
	second.Spec.ID = ""
	now := clock.RealClock{}
	start := now.Now()
	if err := r.karmada.Create(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	g := NewWithT(t)
	g.Eventually(func(ctx context.Context) error { return r.registered(ctx, name) }).WithContext(t.Context()).WithTimeout(machine.Patience).
		WithPolling(50 * time.Millisecond).Should(Succeed())
	took := now.Since(start)
	for _, replica := range []string{"argosy-estimator-0", "argosy-estimator-1"} {
		g.Eventually(func(ctx context.Context) (bool, error) {
			text, err := scrape(ctx, r.pods[replica])
			return strings.Contains(text, `argosy_estimator_member_state_info{member="`+name+`",state="Fresh"} 1`), err
		}).WithContext(t.Context()).WithTimeout(machine.Patience).Should(BeTrue(), "%s mirrors the newcomer", replica)
	}
	if err := r.karmada.Delete(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	g.Eventually(func(ctx context.Context) bool { return apierrors.IsNotFound(r.registered(ctx, name)) }).WithContext(t.Context()).
		WithTimeout(machine.Patience).Should(BeTrue(), "the Service of a member that left is gone")
	return took
}
