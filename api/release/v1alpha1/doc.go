// Package v1alpha1 holds the kind by which a change of an application reaches its clusters in stages.
//
//	Release   the stages, gates and decisions of one application, and where each cluster is
//
// +kubebuilder:object:generate=true
// +groupName=release.argosy.dev
package v1alpha1
