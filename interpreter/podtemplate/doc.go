// Package podtemplate reads a pod template: what each pod asks of the scheduler, and the objects it cannot run
// without.
//
// It decides from the template as the user wrote it, in which nothing is defaulted: Kubernetes does not default the
// templates inside custom resources. So it defaults what changes the answer (a limit without a request is a request),
// and leaves the adding up to Kubernetes' own code.
package podtemplate
