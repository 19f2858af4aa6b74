package interpreter

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/interpreter/hook"
	"github.com/argosy-dev/argosy/test/interpreterlab"
)

const (
	within = "180s"
	every  = "50ms"
)

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := plane.Client.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.IgnoreNotFound(plane.Client.Delete(context.Background(), object)); err != nil {
			t.Error(err)
		}
	})
}

// TestPartitionFollowsTheBinding asks through Karmada's own interpreter: each manifest bears the division the binding
// has at that moment.
func TestPartitionFollowsTheBinding(t *testing.T) {
	g := gomega.NewWithT(t)
	create(t, plane.StartWebhook(t).Registration())
	k := plane.Karmada(t)
	template := cloneSet(namespace(t))

	partition := func(object *unstructured.Unstructured) int64 {
		t.Helper()
		value, _, err := unstructured.NestedInt64(object.Object, "spec", "updateStrategy", "partition")
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	revise := func(replicas int64) *unstructured.Unstructured {
		t.Helper()
		// What cannot be read in time is refused, and Karmada asks again.
		var out *unstructured.Unstructured
		g.Eventually(func() (err error) {
			out, err = k.ReviseReplica(template.DeepCopy(), replicas)
			return err
		}, within, every).Should(gomega.Succeed())
		return out
	}

	// No binding yet: nothing is updated rather than too much.
	if got := partition(revise(4)); got != 4 {
		t.Errorf("without a binding the partition of 4 is %d, want 4", got)
	}

	b := binding(template, policyv1alpha1.ReplicaSchedulingTypeDivided,
		workv1alpha2.TargetCluster{Name: "member1", Replicas: 4}, workv1alpha2.TargetCluster{Name: "member2", Replicas: 6})
	create(t, b)
	for _, replicas := range []int64{4, 6} {
		if got, want := revise(replicas).GetAnnotations()["interpreter.argosy.dev/partition-by-cluster"], "member1=4,member2=5"; got != want {
			t.Errorf("division %q, want %q", got, want)
		}
	}

	// The scheduler moves replicas: the next manifest has the new division, however soon.
	b.Spec.Clusters = []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 7}, {Name: "member3", Replicas: 3}}
	if err := plane.Client.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if got, want := revise(7).GetAnnotations()["interpreter.argosy.dev/partition-by-cluster"], "member1=6,member3=3"; got != want {
		t.Errorf("division after rescheduling %q, want %q", got, want)
	}

	// Duplicated: every member has all ten, and holds back nine.
	b.Spec.Placement.ReplicaScheduling.ReplicaSchedulingType = policyv1alpha1.ReplicaSchedulingTypeDuplicated
	if err := plane.Client.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if duplicated := revise(10); partition(duplicated) != 9 ||
		duplicated.GetAnnotations()["interpreter.argosy.dev/partition-by-cluster"] != "" {
		t.Errorf("duplicated: partition %d, annotations %v, want 9 and no division", partition(duplicated), duplicated.GetAnnotations())
	}

	// Another group's kind of the same name owns the binding: its division is not ours.
	b.Spec.Placement.ReplicaScheduling.ReplicaSchedulingType = policyv1alpha1.ReplicaSchedulingTypeDivided
	b.Spec.Resource.APIVersion = "apps.example.com/v1"
	if err := plane.Client.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if got, err := k.ReviseReplica(template.DeepCopy(), 7); err == nil ||
		!strings.Contains(err.Error(), "it belongs to CloneSet.apps.example.com") {
		t.Errorf("another's binding: %v, error %v, want a refusal that says whose it is", got, err)
	}
}

// TestEveryOperationThroughKarmada asks each operation once the way Karmada's controllers do.
func TestEveryOperationThroughKarmada(t *testing.T) {
	create(t, plane.StartWebhook(t).Registration())
	k := plane.Karmada(t)
	template := cloneSet("shop")
	template.SetGeneration(3)

	replicas, requirements, err := k.GetReplicas(template)
	if err != nil || replicas != 10 || requirements == nil || requirements.Namespace != "shop" {
		t.Errorf("replicas %d, requirements %+v, error %v", replicas, requirements, err)
	}
	if k.HookEnabled(template.GroupVersionKind(), configv1alpha1.InterpreterOperationInterpretComponent) {
		t.Error("components are offered beside replicas that are divided (decision 0100)")
	}
	if healthy, err := k.InterpretHealth(template); err != nil || healthy {
		t.Errorf("health of an object without status: %t, error %v", healthy, err)
	}
	if dependencies, err := k.GetDependencies(template); err != nil || len(dependencies) != 0 {
		t.Errorf("dependencies %v, error %v", dependencies, err)
	}
	status, err := k.ReflectStatus(template)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"generation":3}`, string(status.Raw)); diff != "" {
		t.Errorf("status: %s", diff)
	}
	aggregated, err := k.AggregateStatus(template.DeepCopy(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := unstructured.NestedInt64(aggregated.Object, "status", "observedGeneration"); got != 3 {
		t.Errorf("status without members %v, want observedGeneration 3", aggregated.Object["status"])
	}
	broken := template.DeepCopy()
	broken.Object["spec"] = "none"
	if _, _, err := k.GetReplicas(broken); err == nil || !strings.Contains(err.Error(), `spec: want an object, have "none"`) {
		t.Errorf("a broken object: error %v, want one that names spec", err)
	}
}

// TestOverrideIsTold: a customization takes an operation from the webhook: event, metric and log say so, and the
// metric goes when the customization does.
func TestOverrideIsTold(t *testing.T) {
	g := gomega.NewWithT(t)
	w := plane.StartWebhook(t)
	override := &configv1alpha1.ResourceInterpreterCustomization{
		ObjectMeta: metav1.ObjectMeta{Name: "stray-cloneset"},
		Spec: configv1alpha1.ResourceInterpreterCustomizationSpec{
			Target: configv1alpha1.CustomizationTarget{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet"},
			Customizations: configv1alpha1.CustomizationRules{
				Retention: &configv1alpha1.LocalValueRetention{LuaScript: "function Retain(d, o) return d end"},
			},
		},
	}
	create(t, override)
	const gauge = `argosy_interpreter_overridden{kind="CloneSet",operation="Retain"} 1`
	metrics := func() (string, error) { return interpreterlab.Get(t.Context(), w.Metrics) }
	g.Eventually(metrics, within, every).Should(gomega.ContainSubstring(gauge))
	g.Eventually(func() ([]string, error) {
		var events corev1.EventList
		err := plane.Client.List(t.Context(), &events, client.InNamespace("default"))
		var messages []string
		for _, e := range events.Items {
			if e.InvolvedObject.Name == override.Name && e.Reason == hook.ReasonOverridden && e.Type == corev1.EventTypeWarning {
				messages = append(messages, e.Message)
			}
		}
		return messages, err
	}, within, every).Should(gomega.ContainElement(gomega.ContainSubstring("takes Retain of CloneSet.apps.kruise.io")))
	if err := plane.Client.Delete(t.Context(), override); err != nil {
		t.Fatal(err)
	}
	g.Eventually(metrics, within, every).ShouldNot(gomega.ContainSubstring(gauge))
}

// TestCertificateReloads: the same process presents the new certificate.
func TestCertificateReloads(t *testing.T) {
	g := gomega.NewWithT(t)
	w := plane.StartWebhook(t)
	before, err := w.Serving()
	if err != nil {
		t.Fatal(err)
	}
	w.WriteCertificate(t)
	g.Eventually(w.Serving, within, every).ShouldNot(gomega.Equal(before))
	if err := w.Err(); err != nil {
		t.Errorf("the process did not live through it: %v", err)
	}
}
