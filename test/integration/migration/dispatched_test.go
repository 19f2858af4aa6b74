package migration

import (
	"strings"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// boundAs is a binding of a ConfigMap of the namespace shop and its Work for member1, as Karmada makes them.
func boundAs(name, owner string) (*workv1alpha2.ResourceBinding, *workv1alpha1.Work) {
	id := map[string]string{workv1alpha2.ResourceBindingPermanentIDLabel: name}
	binding := &workv1alpha2.ResourceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name + "-configmap", Labels: id}}
	binding.Spec.Resource = workv1alpha2.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop", Name: name}
	binding.Spec.Clusters = []workv1alpha2.TargetCluster{{Name: "member1"}}
	binding.Spec.Suspension = &workv1alpha2.Suspension{Suspension: policyv1alpha1.Suspension{Dispatching: ptr.To(true)}}
	work := &workv1alpha1.Work{ObjectMeta: metav1.ObjectMeta{Namespace: "karmada-es-member1", Name: name, Labels: id,
		Annotations: map[string]string{
			workv1alpha2.ResourceBindingNamespaceAnnotationKey: "shop", workv1alpha2.ResourceBindingNameAnnotationKey: binding.Name,
		}}}
	manifest := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"shop","name":"` + name + `","labels":{"` + owner +
		`":"deployment-web"}}}`
	work.Spec.Workload.Manifests = []workv1alpha1.Manifest{{RawExtension: runtime.RawExtension{Raw: []byte(manifest)}}}
	return binding, work
}

// Bindings of what is cut off, and Works of what any migration holds, are not deleted by hand; Karmada's own deletions, of what its
// binding leaves out, are not held back, nor is anything else, nor anything while the webhook is down.
func TestBindingsAndWorksStay(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	migration := g.application(t, v1alpha1.PhaseCutOff)
	migration.Status.Resources = []v1alpha1.ResourceStatus{{
		ResourceReference: v1alpha1.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Name: "held"}, Policy: "configmap-held",
		Clusters: []string{"member1"},
	}}
	if err := g.Status().Update(t.Context(), migration); err != nil {
		t.Fatal(err)
	}
	binding, work := boundAs("held", v1alpha1.LabelManagedBy)
	strangerBinding, stranger := boundAs("stranger", "app")
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: work.Namespace}}, binding, work, strangerBinding, stranger,
	} {
		if err := g.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	refusal(t, "deletion of the binding", g.Delete(t.Context(), binding), "argosyctl migration leave -n shop deployment/web")
	refusal(t, "deletion of the Work", g.Delete(t.Context(), work), "argosyctl migration rollback -n shop deployment/web")
	if said := strings.Join(g.warned.said, "\n"); !strings.Contains(said, "argosyctl migration rollback -n shop deployment/web") {
		t.Errorf("warned of %q", said)
	}
	refusal(t, "deletion of all Works", g.DeleteAllOf(t.Context(), &workv1alpha1.Work{}, client.InNamespace(work.Namespace),
		client.MatchingLabels(work.Labels)), "argosyctl migration")
	refusal(t, "deletion of another binding", g.Delete(t.Context(), strangerBinding), "")
	refusal(t, "deletion of another Work", g.Delete(t.Context(), stranger), "")

	// Karmada's scheduler took the cluster out, and its binding controller removes the Work.
	binding.Spec.Clusters = nil
	if err := g.Update(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	refusal(t, "deletion by Karmada", g.Delete(t.Context(), work), "")

	g.hooks.Close()
	refusal(t, "deletion, the webhook down", g.Delete(t.Context(), binding), "")
}
