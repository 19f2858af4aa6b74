package plan

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// turn waits for what the whitelist asks for.
func (j *journey) turn() outcome {
	if j.next.Phase == "" || j.next.Phase == v1alpha1.PhaseLeft {
		j.enter(v1alpha1.PhasePending, v1alpha1.ReasonAdvancing, "on whitelist "+j.Whitelist)
	}
	if !j.plannedFor(v1alpha1.PlanTakeOver) {
		j.forget()
	}
	if j.Conflict != "" {
		return j.block(v1alpha1.ReasonConflictingOwners, "whitelists %s and %s both list the application: take it off one of them", j.Whitelist,
			j.Conflict)
	}
	if j.next.Failure != nil {
		j.retry()
	}
	switch {
	case j.opened():
		return proceed
	case j.Mode == v1alpha1.ModePause:
		return j.wait(v1alpha1.ReasonPaused, "whitelist "+j.Whitelist+" is paused", resting)
	case !j.Turn.Prepare:
		return j.wait(j.Turn.Reason, j.Turn.Message, resting)
	case j.Entry.Trigger == v1alpha1.TriggerOnRelease && !Released(j.Spec, j.Status):
		return j.wait(v1alpha1.ReasonTriggerPending,
			"waits for its next release: publish it with 'argosyctl publish', or set the entry's trigger to Immediate", resting)
	}
	return proceed
}

// retry starts a new attempt. Clusters that stayed open through a pause are judged from now on.
func (j *journey) retry() {
	j.next.Failure, j.next.SoakStartTime = nil, nil
	for i := range j.next.Clusters {
		cluster := &j.next.Clusters[i]
		workload := j.live(cluster.Name, j.workload())
		if cluster.State == v1alpha1.ClusterSuspended || workload == nil {
			continue
		}
		now := metav1.NewTime(j.Now)
		cluster.Before, cluster.OpenedTime = j.evidence(cluster.Name), &now
	}
	j.event(false, v1alpha1.ReasonAdvancing, fmt.Sprintf("attempt %d", max(j.Spec.Attempt, 1)))
}
