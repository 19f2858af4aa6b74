// Package v1beta1 is Component as members serve it beside v1alpha1: svc.loadBalancer.provider has a field of its own, where v1alpha1
// writes the provider's name into svc.type. The rest is v1alpha1's, which is stored, and which the controller and the federation read
// (docs/decisions/0386).
//
// +kubebuilder:object:generate=true
// +groupName=component.luojilab.com
package v1beta1
