// Package component makes Components act in the cluster they are in: it renders each to its Deployment or StatefulSet,
// Service, Ingress and what the cluster's templates add, keeps those so, and says how the service is.
//
//	gather   the Component, templates, the cluster's values, and what exists under the names it becomes
//	decide   package decide (pure): what to apply, delete and let go, and what to leave alone
//	apply    server-side apply with the field manager argosy-component; deletions with the UID that was read
//	status   package decide again, from what exists afterwards; the pods are asked only where copies do not serve
//
// Only objects whose owner reference bears this Component's UID are changed or deleted. What was there before is left
// alone, unless spec.adopt names it and taking it over changes nothing of it (package adopt).
package component
