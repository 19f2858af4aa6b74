package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is component.luojilab.com/v1beta1.
var GroupVersion = schema.GroupVersion{Group: "component.luojilab.com", Version: "v1beta1"}

// AddToScheme makes the kinds of this package known to a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Component{}, &ComponentList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
