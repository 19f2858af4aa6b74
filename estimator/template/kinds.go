package template

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/internal/config"
)

// Kinds says where further kinds keep their pod template: dotted paths, of which the first that holds one counts. Every kind may have one
// at spec.template.
type Kinds map[schema.GroupKind][]string

// KindsOf are those that a configuration names.
func KindsOf(named []config.WorkloadKind) Kinds {
	kinds := Kinds{}
	for _, kind := range named {
		kinds[schema.GroupKind{Group: kind.Group, Kind: kind.Kind}] = kind.PodTemplatePaths
	}
	return kinds
}

// known are kinds of others that keep it elsewhere.
var known = Kinds{
	{Group: "apps.kruise.io", Kind: "UnitedDeployment"}: {"spec.template.cloneSetTemplate.spec.template",
		"spec.template.advancedStatefulSetTemplate.spec.template",
		"spec.template.statefulSetTemplate.spec.template", "spec.template.deploymentTemplate.spec.template"},
}

// Of is Of for the kinds' own paths too.
func (k Kinds) Of(workload *unstructured.Unstructured) (pod Pod, ok bool, err error) {
	kind := workload.GroupVersionKind().GroupKind()
	for _, path := range append(slices.Clone(k[kind]), known[kind]...) {
		fields := strings.Split(path, ".")
		template, found, err := unstructured.NestedMap(workload.Object, fields...)
		if err != nil || !found {
			continue
		}
		// What stands beside the template belongs to it: claims, ordinals.
		beside, _, _ := unstructured.NestedMap(workload.Object, fields[:len(fields)-1]...)
		moved := &unstructured.Unstructured{
			Object: map[string]any{
				"apiVersion": workload.GetAPIVersion(), "kind": workload.GetKind(), "metadata": workload.Object["metadata"], "spec": beside,
			},
		}
		moved.Object["spec"].(map[string]any)["template"] = template
		if pod, ok, err := Of(moved); ok || err != nil {
			return pod, ok, err
		}
	}
	return Of(workload)
}
