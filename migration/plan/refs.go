package plan

import (
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// seen is the resourceVersion of an object as it was read; nil has none.
func seen[T any, P interface {
	*T
	metav1.Object
}](object P) string {
	if object == nil {
		return ""
	}
	return object.GetResourceVersion()
}

func policyRef(name string) Ref {
	return Ref{APIVersion: policyv1alpha1.GroupVersion.String(), Kind: policyv1alpha1.ResourceKindPropagationPolicy, Name: name}
}

func overrideRef(name string) Ref {
	return Ref{APIVersion: policyv1alpha1.GroupVersion.String(), Kind: policyv1alpha1.ResourceKindOverridePolicy, Name: name}
}

func namespaceRef(name string) Ref {
	return Ref{APIVersion: "v1", Kind: "Namespace", Name: name}
}

func subset(whole, part map[string]string) bool {
	for key, value := range part {
		if whole[key] != value {
			return false
		}
	}
	return true
}
