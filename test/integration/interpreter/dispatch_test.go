package interpreter

import (
	"encoding/json"
	"fmt"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/interpreterlab"
	"github.com/argosy-dev/argosy/test/lab"
)

// dispatching registers the admission of Works as argosyctl install does.
func dispatching(t *testing.T, w *interpreterlab.Webhook) {
	t.Helper()
	objects, err := install.Registrations("https://"+w.Address, w.Authority.PEM)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetName() == "argosy-dispatch" {
			lab.WaitLonger(object)
			create(t, object)
			return
		}
	}
	t.Fatal("no registration argosy-dispatch")
}

// inMember2 is where Works for member2 are.
const inMember2 = "karmada-es-member2"

// work is one of member2's, whose careful partition is 3 and exact one 2.
func work(t *testing.T, name string) *workv1alpha1.Work {
	t.Helper()
	manifest := cloneSet("shop")
	manifest.SetAnnotations(map[string]string{
		"interpreter.argosy.dev/divided":              "partition=3",
		"interpreter.argosy.dev/partition-by-cluster": "member1=3,member2=2,member3=3",
	})
	manifest.Object["spec"].(map[string]any)["replicas"] = int64(3)
	manifest.Object["spec"].(map[string]any)["updateStrategy"] = map[string]any{"partition": int64(3)}
	raw, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	return &workv1alpha1.Work{
		ObjectMeta: metav1.ObjectMeta{Namespace: inMember2, Name: name, Finalizers: []string{"karmada.io/execution-controller"}},
		Spec: workv1alpha1.WorkSpec{
			Workload: workv1alpha1.WorkloadTemplate{Manifests: []workv1alpha1.Manifest{{RawExtension: runtime.RawExtension{Raw: raw}}}},
		},
	}
}

func partitionOf(t *testing.T, w *workv1alpha1.Work) int {
	t.Helper()
	var manifest struct {
		Spec struct{ UpdateStrategy struct{ Partition int } }
	}
	if err := json.Unmarshal(w.Spec.Workload.Manifests[0].Raw, &manifest); err != nil {
		t.Fatal(err)
	}
	return manifest.Spec.UpdateStrategy.Partition
}

// TestWorksBecomeTheirClusters: the exact part on creation and on update, an override's value where there is one, no new generation for
// what is written again, and nothing refused that has no division or is going.
func TestWorksBecomeTheirClusters(t *testing.T) {
	g := gomega.NewWithT(t)
	w := plane.StartWebhook(t)
	dispatching(t, w)
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: inMember2}})

	// The API server takes a registration up a moment after it is stored.
	made := work(t, "made")
	g.Eventually(func(g gomega.Gomega) {
		trial := work(t, "trial")
		g.Expect(plane.Client.Create(t.Context(), trial, client.DryRunAll)).To(gomega.Succeed())
		g.Expect(partitionOf(t, trial)).To(gomega.Equal(2))
	}, within, every).Should(gomega.Succeed())
	g.Expect(plane.Client.Create(t.Context(), made)).To(gomega.Succeed())
	g.Expect(partitionOf(t, made)).To(gomega.Equal(2), "on creation, when nobody asks Retain")

	// Karmada renders the careful value at each sync and writes it over the exact one.
	again := made.DeepCopy()
	again.Spec = work(t, "made").Spec
	g.Expect(plane.Client.Update(t.Context(), again)).To(gomega.Succeed())
	g.Expect(partitionOf(t, again)).To(gomega.Equal(2))
	g.Expect(again.Generation).To(gomega.Equal(made.Generation), "the same manifest is no new generation")
	g.Expect(again.ResourceVersion).To(gomega.Equal(made.ResourceVersion), "and no write")

	overridden := work(t, "overridden")
	overridden.Annotations = map[string]string{
		"policy.karmada.io/applied-overrides": `[{"policyName":"hold","overriders":{"plaintext":[` +
			`{"path":"/spec/updateStrategy/partition","operator":"replace","value":3}]}}]`,
	}
	g.Expect(plane.Client.Create(t.Context(), overridden)).To(gomega.Succeed())
	g.Expect(partitionOf(t, overridden)).To(gomega.Equal(3), "an override wins, though its value equals the careful one")

	w.Stop()
	// A failure that is meant is not asked about patiently.
	impatient, err := client.New(plane.Config, client.Options{Scheme: plane.Client.Scheme()})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(impatient.Create(t.Context(), work(t, "later"))).NotTo(gomega.Succeed(), "a careful number would stay for good")
	plain := work(t, "plain")
	plain.Spec.Workload.Manifests[0].Raw = []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"plain","namespace":"shop"}}`)
	g.Expect(plane.Client.Create(t.Context(), plain)).To(gomega.Succeed(), "nothing is divided")
	for _, gone := range []*workv1alpha1.Work{again, overridden, plain} {
		g.Expect(plane.Client.Delete(t.Context(), gone)).To(gomega.Succeed())
		g.Expect(
			plane.Client.Patch(t.Context(), gone, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`)))).
			To(gomega.Succeed(), "a Work that is going is let go")
	}
}

// TestWorksOfABindingBefore: Karmada's binding controller writes a member's replicas by the binding its cache has, and the division is read
// from the one there is. A manifest that is ahead of, or behind, what was divided updates no more than that.
func TestWorksOfABindingBefore(t *testing.T) {
	g := gomega.NewWithT(t)
	w := plane.StartWebhook(t)
	create(t, w.Registration())
	dispatching(t, w)
	k := plane.Karmada(t)
	template := cloneSet(namespace(t))
	g.Expect(unstructured.SetNestedField(template.Object, int64(7), "spec", "replicas")).To(gomega.Succeed())
	g.Expect(unstructured.SetNestedField(template.Object, int64(1), "spec", "updateStrategy", "partition")).To(gomega.Succeed())
	now := binding(template, policyv1alpha1.ReplicaSchedulingTypeDivided,
		workv1alpha2.TargetCluster{Name: "member1", Replicas: 3}, workv1alpha2.TargetCluster{Name: "stale2", Replicas: 2},
		workv1alpha2.TargetCluster{Name: "member3", Replicas: 2})
	create(t, now)
	const space = "karmada-es-stale2"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}})
	// Of two replicas as many as are divided to it; of each other number no more.
	for _, replicas := range []int64{2, 3, 4, 1, 0} {
		var made *unstructured.Unstructured
		g.Eventually(func() (err error) {
			made, err = k.ReviseReplica(template.DeepCopy(), replicas)
			return err
		}, within, every).Should(gomega.Succeed())
		raw, err := json.Marshal(made)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		work := func() *workv1alpha1.Work {
			return &workv1alpha1.Work{
				ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: fmt.Sprintf("web-%d", replicas)},
				Spec: workv1alpha1.WorkSpec{Workload: workv1alpha1.WorkloadTemplate{
					Manifests: []workv1alpha1.Manifest{{RawExtension: runtime.RawExtension{Raw: raw}}}}},
			}
		}
		// The API server takes the registration up a moment after it is stored.
		g.Eventually(func(g gomega.Gomega) {
			trial := work()
			g.Expect(plane.Client.Create(t.Context(), trial, client.DryRunAll)).To(gomega.Succeed())
			updated := replicas - int64(partitionOf(t, trial))
			g.Expect(updated).To(gomega.BeNumerically("<=", 2), "of %d replicas in the manifest, where 2 are stale2's", replicas)
			if replicas == 2 {
				g.Expect(updated).To(gomega.BeNumerically(">=", 1))
			}
		}, within, every).Should(gomega.Succeed())
	}
}
