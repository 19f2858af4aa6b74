package plan

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// stay watches over a federated application: its owners and CI/CD write it now, and only what would take
// it out of the federation unseen is reported.
var stay = []step{{name: "readable", run: (*journey).readable}, {name: "stay", run: (*journey).stay}}

func (j *journey) stay() outcome {
	if lost := j.lost(); lost != "" {
		return j.block(v1alpha1.ReasonPolicyLost, "%s", lost)
	}
	j.enter(v1alpha1.PhaseFederated, v1alpha1.ReasonFederated, "federated")
	j.spread()
	reason, message := v1alpha1.ReasonAllDone, "federated"
	pruning := j.prune()
	if pruning != "" {
		message += "; " + pruning
	}
	if drifted := j.synced(); drifted != "" {
		reason, message = v1alpha1.ReasonDrifted, drifted
	}
	if left := j.leftBehind(); left != "" {
		reason, message = v1alpha1.ReasonUnmanagedPods, left
	}
	if reason != v1alpha1.ReasonAllDone {
		j.warn(reason, message)
	}
	j.condition(v1alpha1.ConditionAdvancing, metav1.ConditionTrue, reason, message)
	j.decision.Requeue = resting
	if pruning != "" || len(j.decision.Actions) > 0 {
		j.decision.Requeue = soon
	}
	return stop
}

// spread records the clusters that a federated application has come to since it was taken over: publishing reaches them too, and a
// rollback closes them by name.
func (j *journey) spread() {
	if binding := j.Control.Bindings[j.workload()]; binding != nil {
		for _, target := range binding.Spec.Clusters {
			if j.clusterStatus(target.Name) == nil {
				reached := v1alpha1.ClusterStatus{Name: target.Name, State: v1alpha1.ClusterOpen, Replicas: target.Replicas, Spread: true}
				j.next.Clusters = append(j.next.Clusters, reached)
				j.history(v1alpha1.ReasonFederated, "spread to cluster "+target.Name)
			}
		}
	}
	for i := range j.next.Resources {
		resource := &j.next.Resources[i]
		binding := j.Control.Bindings[resource.ResourceReference]
		if resource.Policy == "" || binding == nil {
			continue
		}
		for _, target := range binding.Spec.Clusters {
			if !slices.Contains(resource.Clusters, target.Name) {
				resource.Clusters = append(slices.Clone(resource.Clusters), target.Name)
			}
		}
	}
}
