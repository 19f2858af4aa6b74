package plan

import (
	"fmt"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// scalers waits for the autoscalers of the workload that are none of its own objects: FedHPA suspends its Works when it sees the mark. One
// that somebody propagates by hand goes on until that ends.
func (j *journey) scalers() outcome {
	for _, cluster := range sortedKeys(j.Clusters) {
		for _, name := range sortedKeys(j.Clusters[cluster].Scalers) {
			work := j.Clusters[cluster].Scalers[name]
			why := "is still dispatched: if this lasts, look at argosy-controller-manager, or suspend dispatching in the policy that propagates it"
			if work.Suspended {
				why = j.unconfirmed(work, cluster)
			}
			if why == "" || work.Deleting {
				continue
			}
			message := fmt.Sprintf("%s of the workload for cluster %s %s", name, cluster, why)
			if j.Now.Sub(ApprovalsSince(j.next)) > overdue {
				return j.block(v1alpha1.ReasonAwaitingKarmada, "%s", message)
			}
			return j.wait(v1alpha1.ReasonAwaitingKarmada, message, soon)
		}
	}
	return proceed
}
