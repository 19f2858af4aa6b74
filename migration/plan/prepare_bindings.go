package plan

import (
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// bindings must give each cluster exactly what it has, and are then frozen, so that the scheduler cannot move
// anything while clusters are half open. A frozen binding that differs is preset: the scheduler never acts.
func (j *journey) bindings() outcome {
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		name := policy.User(resource.ResourceReference)
		binding := j.Control.Bindings[resource.ResourceReference]
		if binding == nil {
			return j.wait(v1alpha1.ReasonAwaitingKarmada, "Karmada has not made the binding of "+name+" yet", soon)
		}
		if why := bindingLags(binding, resource, j.Control.Policies[resource.Policy.Name]); why != "" {
			return j.wait(v1alpha1.ReasonAwaitingKarmada, "the binding of "+name+" "+why, soon)
		}
		clusters := targets(resource)
		if !held(binding) || !equality.Semantic.DeepEqual(byName(binding.Spec.Clusters), clusters) {
			action := Action{Verb: SetScheduling, Ref: resource.ResourceReference, Frozen: true}
			if held(binding) {
				action.Clusters, action.Seen = clusters, seen(binding)
			}
			j.act(action)
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.wait(v1alpha1.ReasonAwaitingKarmada, "freezing scheduling at the present division", soon)
	}
	return proceed
}

// bindingLags says what Karmada's detector has not carried from policy and template into the binding yet.
func bindingLags(binding *workv1alpha2.ResourceBinding, resource *policy.Resource, existing *policyv1alpha1.PropagationPolicy) string {
	var sum int32
	for _, replicas := range resource.Replicas {
		sum += replicas
	}
	suspension := binding.Spec.Suspension
	switch {
	case !binding.DeletionTimestamp.IsZero():
		return "is being deleted"
	case existing == nil:
		return "has no policy"
	case binding.Spec.Placement == nil || !equality.Semantic.DeepEqual(*binding.Spec.Placement, existing.Spec.Placement):
		return "does not have the policy's placement yet"
	case !ptr.Deref(binding.Spec.PreserveResourcesOnDeletion, false):
		return "does not preserve on deletion yet"
	case resource.Replicas != nil && binding.Spec.Replicas != sum:
		return "does not have the template's replicas yet"
	case existing.Spec.Suspension != nil &&
		(suspension == nil || !equality.Semantic.DeepEqual(suspension.Suspension, *existing.Spec.Suspension)):
		return "is not suspended yet"
	}
	return ""
}

func frozen(binding *workv1alpha2.ResourceBinding) bool {
	return binding.Spec.Suspension != nil && ptr.Deref(binding.Spec.Suspension.Scheduling, false)
}

// held bindings are frozen and bear the mark by which the API server refuses to take a cluster out of them.
func held(binding *workv1alpha2.ResourceBinding) bool {
	return frozen(binding) && binding.Annotations[v1alpha1.AnnotationHeld] != ""
}

// targets are what the scheduler would write: clusters by name, with their replicas.
func targets(resource *policy.Resource) []workv1alpha2.TargetCluster {
	out := make([]workv1alpha2.TargetCluster, 0, len(resource.Clusters))
	for _, cluster := range resource.Clusters {
		out = append(out, workv1alpha2.TargetCluster{Name: cluster, Replicas: resource.Replicas[cluster]})
	}
	return out
}

func byName(clusters []workv1alpha2.TargetCluster) []workv1alpha2.TargetCluster {
	indexed := map[string]workv1alpha2.TargetCluster{}
	for _, cluster := range clusters {
		indexed[cluster.Name] = cluster
	}
	out := make([]workv1alpha2.TargetCluster, 0, len(clusters))
	for _, name := range sortedKeys(indexed) {
		out = append(out, indexed[name])
	}
	return out
}
