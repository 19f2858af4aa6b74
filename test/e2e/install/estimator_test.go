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
    replicaScheduling: {replicaSchedulingType: Divided, replicaDivisionPreference: Weighted, weightPreference: {dynamicWeight: AvailableReplicas}}
`

// estimated lets the real karmada-scheduler find the estimator as Karmada's installers set it up: by the Services.
func (r *release) estimated(t *testing.T) {
	stop, err := r.lab.StartScheduler(t.Context(), "argosy", r.estimator.port)
	if err != nil {
		t.Fatal(err)
	}
	r.whole.Cleanup(stop)
	NewWithT(t).Eventually(func(ctx context.Context) error { return r.registered(ctx, "member1") }).WithContext(t.Context()).WithTimeout(patience).Should(Succeed())
	r.heldApart(t, "apart")
}

// heldApart propagates three pods into a namespace of this name, and waits for what karmada-scheduler can know from the estimator alone.
func (r *release) heldApart(t *testing.T, namespace string) {
	t.Helper()
	if err := demo.Apply(t.Context(), r.karmada, strings.ReplaceAll(apart, "apart", namespace)); err != nil {
		t.Fatal(err)
	}
	NewWithT(t).Eventually(func(ctx context.Context) string { return r.scheduling(ctx, namespace) }).WithContext(t.Context()).WithTimeout(patience).
		Should(ContainSubstring("Clusters available replicas 1 are not enough to schedule"), "what karmada-scheduler says of three pods that one node cannot hold apart")
	if err := r.karmada.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
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
	if err := r.karmada.Get(ctx, client.ObjectKey{Namespace: "karmada-system", Name: "karmada-scheduler-estimator-" + member}, service); err != nil {
		return err
	}
	if service.Spec.ExternalName != "localhost" || len(service.Spec.Ports) != 1 || service.Spec.Ports[0].TargetPort.IntValue() != r.estimator.port {
		return fmt.Errorf("the Service leads to %+v", service.Spec)
	}
	return nil
}

// joined makes a Cluster as karmadactl join does, of the same member by another name, and takes it away again.
func (r *release) joined(t *testing.T) {
	first := &clusterv1alpha1.Cluster{}
	if err := r.karmada.Get(t.Context(), client.ObjectKey{Name: "member1"}, first); err != nil {
		t.Fatal(err)
	}
	second := &clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "newcomer"}, Spec: first.Spec}
	second.Spec.ID = ""
	now := clock.RealClock{}
	start := now.Now()
	if err := r.karmada.Create(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	g := NewWithT(t)
	g.Eventually(func(ctx context.Context) error { return r.registered(ctx, "newcomer") }).WithContext(t.Context()).WithTimeout(15 * time.Second).WithPolling(50 * time.Millisecond).Should(Succeed())
	t.Logf("registered %s after it joined", now.Since(start).Round(10*time.Millisecond))
	for _, name := range []string{"argosy-estimator-0", "argosy-estimator-1"} {
		g.Eventually(func(ctx context.Context) (bool, error) {
			text, err := scrape(ctx, r.pods[name])
			return strings.Contains(text, `argosy_estimator_member_state_info{member="newcomer",state="Fresh"} 1`), err
		}).WithContext(t.Context()).WithTimeout(patience).Should(BeTrue(), "%s mirrors the newcomer", name)
	}
	if err := r.karmada.Delete(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	g.Eventually(func(ctx context.Context) bool { return apierrors.IsNotFound(r.registered(ctx, "newcomer")) }).WithContext(t.Context()).WithTimeout(patience).Should(BeTrue(), "the Service of a member that left is gone")
}
