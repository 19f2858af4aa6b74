package policy

import (
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

// Rivals says whether a policy could claim an object before a policy of priority 0 that names it exactly,
// or take it from one: by naming it too, by a higher priority, or by preemption.
func Rivals(spec *policyv1alpha1.PropagationSpec, object *unstructured.Unstructured) bool {
	switch selection(spec, object) {
	case selectsNot:
		return false
	case selectsByName:
		return true
	}
	return ptr.Deref(spec.Priority, 0) > 0 || spec.Preemption == policyv1alpha1.PreemptAlways
}

type match int

const (
	selectsNot match = iota
	selectsBroadly
	selectsByName
)

func selection(spec *policyv1alpha1.PropagationSpec, object *unstructured.Unstructured) match {
	best := selectsNot
	for _, selector := range spec.ResourceSelectors {
		if selector.APIVersion != object.GetAPIVersion() || selector.Kind != object.GetKind() ||
			selector.Namespace != "" && selector.Namespace != object.GetNamespace() {
			continue
		}
		if selector.Name != "" {
			if selector.Name == object.GetName() {
				return selectsByName
			}
			continue
		}
		if selector.LabelSelector == nil {
			best = selectsBroadly
			continue
		}
		parsed, err := metav1.LabelSelectorAsSelector(selector.LabelSelector)
		if err == nil && parsed.Matches(labels.Set(object.GetLabels())) {
			best = selectsBroadly
		}
	}
	return best
}
