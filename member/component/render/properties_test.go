package render

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// anyTemplate says something of the workload, its Service or an object of its own.
func anyTemplate(t *rapid.T, name string) v1alpha1.ComponentTemplate {
	word := rapid.StringMatching(`[a-z]{1,4}`)
	level := rapid.SampledFrom(levels).Draw(t, "level")
	out := v1alpha1.ComponentTemplate{}
	out.Name, out.Spec.Level, out.Spec.Priority = name, level, rapid.Int32Range(-2, 2).Draw(t, "priority")
	if rapid.Bool().Draw(t, "selective") {
		out.Spec.Match.Languages = []string{rapid.SampledFrom([]string{"go", "python"}).Draw(t, "language")}
	}
	for range rapid.IntRange(1, 3).Draw(t, "objects") {
		value := rapid.SampledFrom([]string{"$(component.name)", "$(component.port)", "$(cluster.zone)", "$(POD)", "plain", name}).
			Draw(t, "value")
		kind := rapid.SampledFrom([]v1alpha1.TemplateObjectKind{"Deployment", "StatefulSet", "Service", "Ingress", "ConfigMap",
			"PodDisruptionBudget"}).Draw(t, "kind")
		text := fmt.Sprintf(`{"metadata":{"annotations":{"%s":"%s"}}}`, word.Draw(t, "key"), value)
		if (kind == "Deployment" || kind == "StatefulSet") && rapid.Bool().Draw(t, "pod") {
			text = fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"%s","image":"i","env":[{"name":"%s","value":"%s"}]}]}}}}`,
				rapid.SampledFrom([]string{"main", "proxy"}).Draw(t, "container"), word.Draw(t, "env"), value)
		}
		out.Spec.Objects = append(out.Spec.Objects, v1alpha1.TemplateObject{Kind: kind, Object: runtime.RawExtension{Raw: []byte(text)}})
	}
	return out
}

func anyComponent(t *rapid.T) *v1alpha1.Component {
	out := &v1alpha1.Component{}
	out.Name, out.Namespace = rapid.StringMatching(`[a-z]{1,6}`).Draw(t, "name"), "shop"
	out.Spec = v1alpha1.ComponentSpec{
		WorkloadType:    rapid.SampledFrom([]v1alpha1.WorkloadType{"Deployment", "StatefulSet"}).Draw(t, "workload"),
		DevelopLanguage: rapid.SampledFrom([]string{"go", "python"}).Draw(t, "language"), RunType: "server",
		Image: "demo:1", Port: rapid.Int32Range(1, 65535).Draw(t, "port"), Replicas: ptr.To(rapid.Int32Range(0, 9).Draw(t, "replicas")),
		Svc: v1alpha1.ServiceSpec{
			Type: rapid.SampledFrom([]v1alpha1.ServiceType{"", "ClusterIP", "NodePort", "None", "aliyun-slb"}).Draw(t, "svc"),
		},
	}
	if out.Spec.Svc.Type != v1alpha1.ServiceNone && rapid.Bool().Draw(t, "ingress") {
		out.Spec.Ingress = &v1alpha1.IngressSpec{Host: "a.example.com"}
	}
	return out
}

// TestProperties: the same input gives the same bytes, in whichever order the templates come and however often they are
// laid, and nothing that came in is changed.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		component := anyComponent(t)
		var templates []v1alpha1.ComponentTemplate
		for i := range rapid.IntRange(0, 5).Draw(t, "templates") {
			templates = append(templates, anyTemplate(t, fmt.Sprintf("t%d", i)))
		}
		before := component.DeepCopy()
		first, report, err := Render(component, templates, zoneA)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, component); diff != "" {
			t.Fatalf("the component was changed:\n%s", diff)
		}
		shuffled := rapid.Permutation(templates).Draw(t, "order")
		second, again, err := Render(component, shuffled, zoneA)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(report, again); diff != "" {
			t.Fatalf("another order gives another report:\n%s", diff)
		}
		same(t, "another order", first, second)
		laidTwice, _, err := Render(component, doubled(templates), zoneA)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "every object said twice", first, laidTwice)
	})
}

// doubled templates say everything twice, in a row: what is merged again changes nothing.
func doubled(templates []v1alpha1.ComponentTemplate) []v1alpha1.ComponentTemplate {
	var out []v1alpha1.ComponentTemplate
	for i := range templates {
		one := templates[i].DeepCopy()
		one.Spec.Objects = append(one.Spec.Objects, one.Spec.Objects...)
		out = append(out, *one)
	}
	return out
}

func same(t *rapid.T, what string, a, b []Object) {
	if len(a) != len(b) {
		t.Fatalf("%s: %d objects, then %d", what, len(a), len(b))
	}
	for i := range a {
		if !bytes.Equal(a[i].JSON, b[i].JSON) || a[i].Hash != b[i].Hash {
			t.Fatalf("%s: other bytes:\n%s\n%s", what, a[i].JSON, b[i].JSON)
		}
	}
}
