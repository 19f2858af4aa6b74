package facts

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// BringBack says that what a process stamped whose clock is ahead of this one was now: a task would not be tried, a drain not end, and a
// server not have served for long enough, before this clock comes to such a stamp. What is stamped so is written, and so brought back once
// (docs/decisions/0292).
func BringBack(status *v1alpha1.ServerStatus, now time.Time) {
	for i := range status.Conditions {
		if status.Conditions[i].LastTransitionTime.After(now) {
			status.Conditions[i].LastTransitionTime = metav1.NewTime(now)
		}
	}
	stamps := []**metav1.Time{&status.LastHeartbeatTime}
	if status.Operation != nil {
		stamps = append(stamps, &status.Operation.StartedAt)
	}
	if status.Machine != nil {
		stamps = append(stamps, &status.Machine.ObservedAt)
	}
	if status.Creation != nil {
		stamps = append(stamps, &status.Creation.At)
	}
	for i := range status.Tasks {
		stamps = append(stamps, &status.Tasks[i].StartedAt, &status.Tasks[i].FinishedAt)
	}
	for i := range status.LoadBalancers {
		stamps = append(stamps, &status.LoadBalancers[i].Since)
	}
	for i := range status.PendingApprovals {
		stamps = append(stamps, &status.PendingApprovals[i].Since)
	}
	for _, stamp := range stamps {
		if *stamp != nil && (*stamp).After(now) {
			*stamp = &metav1.Time{Time: now}
		}
	}
}
