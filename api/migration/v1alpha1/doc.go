// Package v1alpha1 holds the kinds by which applications come under federation and leave it again.
//
//	MigrationWhitelist   who may be federated, in which order, under which care (edited by admins)
//	Migration            one application on its way: plan, approvals, evidence, history (made by the controller)
//
// +kubebuilder:object:generate=true
// +groupName=migration.argosy.dev
package v1alpha1
