// Package register lets Karmada find this estimator.
//
// Decides: which Services must exist. karmada-scheduler, karmada-descheduler and FedHPA look, for each member, for Service
// <prefix>-<member> of karmada-apiserver, type ExternalName, and dial its target (Karmada's pkg/estimator/client/service.go).
// One member without a Service makes the scheduler throw away the answers for all of them (accurate.go: the cache's miss is an
// error, and one error is everybody's), so a Service is made for every member, also for one that is not mirrored yet: it is
// answered with "unknown", which the scheduler passes over.
//
// Reads and writes: Services in one namespace of karmada-apiserver that bear our label, or none yet. A Service that somebody
// else made is left alone.
package register
