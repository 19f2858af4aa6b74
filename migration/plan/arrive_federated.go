package plan

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// arrived records the end of the way in.
func (j *journey) arrived() outcome {
	for i := range j.next.Clusters {
		cluster := &j.next.Clusters[i]
		cluster.After = j.evidence(cluster.Name)
	}
	j.enter(v1alpha1.PhaseFederated, v1alpha1.ReasonFederated, "federated in "+list(j.names())+"; "+j.unchanged())
	j.condition(v1alpha1.ConditionAdvancing, metav1.ConditionTrue, v1alpha1.ReasonAllDone, "federated")
	j.decision.Requeue = resting
	return stop
}
