package cronhpa

import (
	"testing"

	"github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/manifest"
)

// TestComponentOnATimetable: a Component is scaled through its scale subresource, which changes its number of copies and nothing else.
func TestComponentOnATimetable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	objects, err := manifest.Parse([]byte(`
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {name: web}
spec: {workloadType: Deployment, developLanguage: python, runType: server, image: "python-demo:1", port: 8080, replicas: 3}
`))
	if err != nil {
		t.Fatal(err)
	}
	component := objects[0]
	component.SetNamespace(w.namespace)
	w.create(component)
	w.cron("web", autoscalingv2.CrossVersionObjectReference{
		APIVersion: component.GetAPIVersion(), Kind: component.GetKind(), Name: "web",
	}, replicasAt("out", w.schedule(10*minute), 10))
	w.lead(nil)
	w.Eventually(func() string { return w.ready("web") }).Should(gomega.Equal("True/Scheduled"))
	w.setClock(10 * minute)
	w.Eventually(func() string { return w.cronStatus("web").RuleInForce }).Should(gomega.Equal("out"))
	after := component.DeepCopy()
	w.Expect(apiserver.Get(w.ctx, client.ObjectKeyFromObject(component), after)).To(gomega.Succeed())
	replicas, _, err := unstructured.NestedInt64(after.Object, "spec", "replicas")
	w.Expect(err).NotTo(gomega.HaveOccurred())
	w.Expect(replicas).To(gomega.BeEquivalentTo(10))
	before, _, _ := unstructured.NestedMap(component.Object, "spec")
	changed, _, _ := unstructured.NestedMap(after.Object, "spec")
	delete(before, "replicas")
	delete(changed, "replicas")
	w.Expect(changed).To(gomega.Equal(before))
}
