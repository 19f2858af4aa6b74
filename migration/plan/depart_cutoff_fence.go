package plan

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// departFence proves on bindings and Works that nothing is dispatched any more. In pull mode the agent
// itself must have confirmed it: a cut-off agent goes on enforcing what it last saw.
func (j *journey) departFence() outcome {
	for _, resource := range j.federated() {
		for _, name := range sortedKeys(j.Clusters) {
			// Of a shared object only this application's clusters are closed.
			if len(resource.Users) > 1 && j.clusterStatus(name) == nil {
				continue
			}
			if why := j.dispatching(resource, name); why != "" {
				message := fmt.Sprintf("%s for cluster %s %s", policy.User(resource.ResourceReference), name, why)
				j.condition(v1alpha1.ConditionFenced, metav1.ConditionFalse, v1alpha1.ReasonAwaitingKarmada, message)
				if j.Now.Sub(ApprovalsSince(j.next)) > overdue {
					return j.block(v1alpha1.ReasonAwaitingKarmada, "%s", message)
				}
				return j.wait(v1alpha1.ReasonAwaitingKarmada, message, soon)
			}
		}
	}
	j.condition(v1alpha1.ConditionFenced, metav1.ConditionTrue, v1alpha1.ReasonFenced,
		"every Work is suspended and preserving, confirmed by its execution controller")
	return proceed
}

// dispatching says what may still write an object into a cluster.
func (j *journey) dispatching(resource v1alpha1.ResourceStatus, cluster string) string {
	work, exists := j.Clusters[cluster].Works[resource.ResourceReference]
	if binding := j.Control.Bindings[resource.ResourceReference]; binding != nil && (exists || slices.Contains(resource.Clusters, cluster)) {
		switch {
		case binding.Spec.Suspension == nil || !policy.Suspended(&binding.Spec.Suspension.Suspension, cluster):
			return "is not suspended in its binding yet"
		case !ptr.Deref(binding.Spec.PreserveResourcesOnDeletion, false):
			return "is not preserved in its binding yet"
		}
	}
	switch {
	case !exists:
		return ""
	case work.Deleting:
		return "has a Work being deleted"
	case !work.Suspended || !work.Preserve:
		return "has a Work that is not suspended and preserving yet"
	}
	return j.unconfirmed(work, cluster)
}

// How long a cut-off may take before people are told, and how long it takes Karmada to notice, with room to spare, that an
// agent is away: 40 s unless karmada-controller-manager is told otherwise.
const (
	overdue = 30 * time.Second
	noticed = 2 * time.Minute
)

// unconfirmed says who has not seen the suspension of a Work. In pull mode a cluster's agent works from what it last saw: while it is
// away from the control plane it undoes every static release.
func (j *journey) unconfirmed(work Work, cluster string) string {
	confirmed := work.Dispatching == metav1.ConditionFalse
	if !j.Clusters[cluster].Pull {
		if confirmed {
			return ""
		}
		return "has a suspended Work whose execution controller has not confirmed it yet: if this lasts, look at karmada-controller-manager"
	}
	// An agent that saw the opening, and lost the control plane before it could say so, leaves the word of an earlier suspension
	// standing. Karmada would have found it missing by now; one that is Ready all the while has seen this suspension.
	status := j.clusterStatus(cluster)
	if confirmed && status != nil && status.OpenedTime != nil && work.DispatchingSince.Before(status.OpenedTime.Time) {
		ready, readySince := j.Clusters[cluster].Ready, j.Clusters[cluster].ReadySince
		confirmed = ready && j.Now.Sub(ApprovalsSince(j.next)) > noticed && j.Now.Sub(readySince) > noticed
	}
	if confirmed {
		return ""
	}
	return fmt.Sprintf("has a suspended Work that the cluster's karmada-agent has not confirmed yet, and may go on enforcing: "+
		"release nothing statically there before it has. "+
		"If this lasts, look whether it runs and reaches karmada-apiserver ('kubectl get cluster %s')", cluster)
}
