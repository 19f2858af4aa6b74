package cloneset

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/family"
)

// Family is the rules for CloneSet.
func Family() *family.Family {
	return &family.Family{
		Name: "cloneset",
		Kinds: []schema.GroupVersionKind{
			{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "CloneSet"},
			{Group: "apps.kruise.io", Version: "v1beta1", Kind: "CloneSet"},
		},
	}
}
