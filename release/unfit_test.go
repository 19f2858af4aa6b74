package release

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

func TestUnfit(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a Deployment": {"{apiVersion: apps/v1, kind: Deployment, spec: {}}", ""},
		"a Job":        {"{apiVersion: batch/v1, kind: Job, spec: {}}", v1alpha1.ReasonKindNotStaged},
		"a CloneSet":   {"{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, spec: {updateStrategy: {partition: 0}}}", ""},
		"a CloneSet with a partition": {"{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, spec: {updateStrategy: {partition: 3}}}",
			v1alpha1.ReasonPartitionSet},
		"a partition in percent": {"{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, spec: {updateStrategy: {partition: 50%}}}",
			v1alpha1.ReasonPartitionSet},
		"an Advanced StatefulSet's": {
			"{apiVersion: apps.kruise.io/v1beta1, kind: StatefulSet, spec: {updateStrategy: {rollingUpdate: {partition: 1}}}}",
			v1alpha1.ReasonPartitionSet,
		},
		"a Component":                  {"{apiVersion: component.luojilab.com/v1alpha1, kind: Component, spec: {}}", ""},
		"a DaemonSet of either group":  {"{apiVersion: apps.kruise.io/v1alpha1, kind: DaemonSet, spec: {}}", ""},
		"a kind of that name, foreign": {"{apiVersion: example.com/v1, kind: Deployment, spec: {}}", v1alpha1.ReasonKindNotStaged},
	} {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(tc.text), &object.Object); err != nil {
			t.Fatal(err)
		}
		for _, path := range [][]string{{"spec", "updateStrategy", "partition"}, {"spec", "updateStrategy", "rollingUpdate", "partition"}} {
			// As the API client decodes whole numbers.
			if n, ok, _ := unstructured.NestedFloat64(object.Object, path...); ok {
				if err := unstructured.SetNestedField(object.Object, int64(n), path...); err != nil {
					t.Fatal(err)
				}
			}
		}
		if reason, message := unfit(object); reason != tc.want || (message == "") != (reason == "") {
			t.Errorf("%s: %s (%s), want %s", name, reason, message, tc.want)
		}
	}
}

// TestTaken: of two Releases of one target the older has it.
func TestTaken(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	release := func(name, target string, minute int) *v1alpha1.Release {
		return &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", CreationTimestamp: metav1.Date(2026, 11, 28, 10, minute, 0, 0, time.UTC)},
			Spec:       v1alpha1.ReleaseSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: target}},
		}
	}
	first, second, twin, other := release("b", "web", 0), release("a", "web", 1), release("c", "web", 0), release("d", "desk", 0)
	namesake, newer := release("e", "web", 2), release("f", "web", 2)
	namesake.Spec.TargetRef.APIVersion, newer.Spec.TargetRef.APIVersion = "example.com/v1", "apps/v2"
	c := &Controller{Reader: fake.NewClientBuilder().WithScheme(scheme).WithObjects(first, second, twin, other, namesake, newer).Build()}
	marked := func(release string) *unstructured.Unstructured {
		out := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment"}}
		out.SetName("web")
		out.SetLabels(map[string]string{v1alpha1.LabelStaged: release})
		out.SetAnnotations(map[string]string{v1alpha1.AnnotationStable: "r1"})
		return out
	}
	for _, tc := range []struct {
		release *v1alpha1.Release
		target  *unstructured.Unstructured
		want    string
	}{
		{first, nil, ""}, {second, nil, v1alpha1.ReasonTargetTaken}, {twin, nil, v1alpha1.ReasonTargetTaken}, {other, nil, ""},
		{first, marked("b"), ""}, {first, marked("gone"), v1alpha1.ReasonTargetTaken}, {first, marked("a"), ""},
		{first, marked("d"), v1alpha1.ReasonTargetTaken}, {namesake, nil, ""}, {newer, nil, v1alpha1.ReasonTargetTaken},
	} {
		reason, _, err := c.taken(t.Context(), tc.release, tc.target)
		if err != nil || reason != tc.want {
			t.Errorf("Release %s: %s, %v, want %q", tc.release.Name, reason, err, tc.want)
		}
	}
}
