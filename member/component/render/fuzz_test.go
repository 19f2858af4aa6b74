package render

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// FuzzTemplate lays whatever a person may write: no panic, an error that says where, and the same bytes twice.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		`{"spec":{"template":{"spec":{"containers":[{"name":"main","args":["$(component.port)","$(cluster.x)","$$(component.name)","$("]}]}}}}`,
		`{"spec":{"template":{"spec":{"$patch":"replace","containers":[{"name":"main","$patch":"delete"}]}}}}`,
		`{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"main"}],"$retainKeys":["containers"],"volumes":null}}}}`,
		`{"spec":{"selector":null,"template":null,"ports":[{"port":8080,"targetPort":"$(component.port)"}]}}`,
		`{"metadata":{"labels":null,"annotations":{"a":"$(component.image)"}},"data":{"a":"b"},` +
			`"spec":{"rules":[],"$deleteFromPrimitiveList/finalizers":["x"]}}`,
	} {
		for kind := range uint8(len(kinds)) {
			f.Add(kind, []byte(seed))
		}
	}
	names := []v1alpha1.TemplateObjectKind{
		"ServiceAccount", "ConfigMap", "Service", "Deployment", "StatefulSet", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress",
	}
	f.Fuzz(func(t *testing.T, kind uint8, text []byte) {
		component := with(t, "{ingress: {host: a.example.com}, env: [{name: A, value: b}]}")
		template := v1alpha1.ComponentTemplate{}
		template.Name = "one"
		k := names[int(kind)%len(names)]
		template.Spec = v1alpha1.ComponentTemplateSpec{
			Level: v1alpha1.LevelCluster, Objects: []v1alpha1.TemplateObject{{Kind: k, Object: runtime.RawExtension{Raw: text}}},
		}
		first, _, err := Render(component, []v1alpha1.ComponentTemplate{template}, zoneA)
		var typed *Error
		if err != nil && (!errors.As(err, &typed) || typed.Field == nil || typed.Name == "") {
			t.Fatalf("an error that does not say where: %v", err)
		}
		second, _, again := Render(component, []v1alpha1.ComponentTemplate{template}, zoneA)
		if (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("%v, then %v", err, again)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("other objects the second time:\n%s", diff)
		}
		patched := with(t, "{ingress: {host: a.example.com}}")
		patched.Spec.Patches = []v1alpha1.Patch{
			{Target: v1alpha1.PatchTarget{Kind: v1alpha1.PatchTargetKind(k)}, Patch: runtime.RawExtension{Raw: text}},
		}
		if _, _, err := Render(patched, nil, zoneA); err != nil && !errors.As(err, &typed) {
			t.Fatalf("an error that does not say where: %v", err)
		}
	})
}
