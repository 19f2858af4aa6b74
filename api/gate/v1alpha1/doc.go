// Package v1alpha1 holds what kinds with gates share: the gate a person or a webhook opens, the approval that opens it, the list
// of what waits, freeze windows and Prometheus queries. It has no kinds of its own: the types stand inline in the specs and statuses
// of others.
//
// An approval counts for one operation, once. Who gave it and when is written by an admission webhook from the request itself
// (internal/gate).
//
// +kubebuilder:object:generate=true
// +groupName=gate.argosy.dev
package v1alpha1
