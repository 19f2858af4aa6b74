// Package accuracy measures how right the estimators are, against the only judge there is: a member's real kube-scheduler.
//
// For every class of pod and every seed it builds a member on a real API server, freezes it, asks Karmada's stock estimator and ours how
// many replicas fit, then creates 1.2 times the larger answer as real pods, starts the real kube-scheduler, waits until it has come to
// rest, and counts what it bound. No kubelet is needed: a bound pod is a bound pod.
package accuracy
