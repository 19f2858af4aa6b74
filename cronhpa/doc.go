// Package cronhpa applies CronHPA timetables in the control plane. Karmada's scheduler divides the replicas.
//
// It decides (decide.go, with package schedule) from the object's spec, its status and now: what is due, what was missed,
// what the status says next. Nothing else is remembered: a new leader goes on from the status.
//
// It reads CronHPA, HorizontalPodAutoscaler, FedHPA and Karmada's FederatedHPA, and the target. It writes the target's scale
// (a workload) or its bounds (an HPA); a FedHPA is never written, it reads status.bounds. It writes CronHPA's status and,
// where an HPA's own bounds have to be put back, a finalizer.
//
// One reconcile, at most one firing:
//
//	gather ──► decide ──► apply ──► settle ──► one status patch ──► events, metrics, wake-up
//	 cache     pure       target     pure       result and handled
//	                                            time together
//
// A workload's firing goes through the queue once more between apply and settle, so that of thousands due together every
// target is set before the first result is written (unwritten.go, docs/decisions/0034).
//
// Killed between apply and the status patch, the next leader finds the same firing due and applies the same numbers again.
package cronhpa
