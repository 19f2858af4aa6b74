package plan

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// verify that the members have what they had. The control plane has nothing of the application any more, so
// whatever is found is said, and does not hold CI/CD back.
func (j *journey) verify() outcome {
	var found []string
	j.next.RemovalStartTime = nil
	for i := range j.next.Clusters {
		cluster := &j.next.Clusters[i]
		if why := j.Clusters[cluster.Name].Unreachable; why != "" {
			j.next.RemovalStartTime = j.Status.RemovalStartTime
			return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s does not answer (%s): what it has is not verified yet", cluster.Name, why)
		}
		workload := j.live(cluster.Name, j.workload())
		if workload == nil {
			found = append(found, fmt.Sprintf("%s is gone from cluster %s", policy.User(j.workload()), cluster.Name))
			continue
		}
		cluster.After = j.evidence(cluster.Name)
		why := changed(cluster.Before, cluster.After, j.autoscaled())
		if why == "" {
			// Nobody looks at the health any more: pods without a successor are said here.
			why = unfollowed(cluster.Before, cluster.After, j.autoscaled())
		}
		if why != "" {
			found = append(found, "in cluster "+cluster.Name+" "+why)
		}
		gone, _ := replaced(cluster.Before, cluster.After)
		cluster.Replaced = int32(len(gone))
	}
	if len(found) > 0 {
		j.event(true, v1alpha1.ReasonEvidenceChanged, strings.Join(found, "; "))
		j.condition(v1alpha1.ConditionUnchanged, metav1.ConditionFalse, v1alpha1.ReasonEvidenceChanged, strings.Join(found, "; "))
		j.enter(v1alpha1.PhaseLeft, v1alpha1.ReasonLeft, "left the federation; meanwhile "+strings.Join(found, "; "))
		return j.wait(v1alpha1.ReasonLeft, "left the federation", soon) // then the namespace is let go of
	}
	j.enter(v1alpha1.PhaseLeft, v1alpha1.ReasonLeft, "left the federation; every object is still in "+list(j.names()))
	j.condition(v1alpha1.ConditionUnchanged, metav1.ConditionTrue, v1alpha1.ReasonUnchanged,
		"specs, revisions and restart counts are as they were; "+j.unchanged())
	return j.wait(v1alpha1.ReasonLeft, "left the federation", soon)
}
