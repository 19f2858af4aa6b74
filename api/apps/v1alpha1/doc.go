// Package v1alpha1 holds PodScaleIn, and the request by which its controller and the interpreter's Retain agree on which
// pods a member gives up (ScaleInRequest).
//
// +kubebuilder:object:generate=true
// +groupName=apps.argosy.dev
package v1alpha1
