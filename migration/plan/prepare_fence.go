package plan

import (
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/migration/policy"
)

// fence proves on the Works, never on the policy, that the control plane is ready and closed: policy, binding
// and Work follow each other asynchronously, and only the Work decides what is written into a member.
func (j *journey) fence() outcome {
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		for _, cluster := range resource.Clusters {
			if why := j.unfenced(resource, cluster); why != "" {
				message := fmt.Sprintf("the Work of %s for cluster %s %s", policy.User(resource.ResourceReference), cluster, why)
				j.condition(v1alpha1.ConditionFenced, metav1.ConditionFalse, v1alpha1.ReasonAwaitingKarmada, message)
				return j.wait(v1alpha1.ReasonAwaitingKarmada, message, soon)
			}
		}
	}
	j.condition(v1alpha1.ConditionFenced, metav1.ConditionTrue, v1alpha1.ReasonFenced,
		"every Work is suspended, preserving, and as the plan needs it")
	return proceed
}

// unfenced says what a Work still lacks before the first cluster may be opened.
func (j *journey) unfenced(resource *policy.Resource, cluster string) string {
	work, exists := j.Clusters[cluster].Works[resource.ResourceReference]
	closed := !j.open(resource.Users, cluster)
	template := j.Control.Templates[resource.ResourceReference]
	switch {
	case !exists:
		return "is not there yet"
	case work.Deleting:
		return "is being deleted"
	case !work.Preserve:
		return "does not preserve on deletion yet"
	case work.Suspended != closed:
		return fmt.Sprintf("is suspended: %v, and should be: %v", work.Suspended, closed)
	case closed && work.Dispatching != metav1.ConditionFalse:
		return "is suspended, and its execution controller has not confirmed it yet"
	case work.Manifest == nil:
		return "has no manifest"
	case template.GetGeneration() > 0 && generationOf(work.Manifest) != template.GetGeneration():
		return fmt.Sprintf("carries generation %d of the template, which is at %d", generationOf(work.Manifest), template.GetGeneration())
	}
	return rendered(resource, cluster, work.Manifest)
}

// rendered says where a Work's manifest is not yet what the cluster shall have. Of a workload only replicas
// and pod template are compared: an interpreter may divide other fields, which the dry run judges.
func rendered(resource *policy.Resource, cluster string, manifest *unstructured.Unstructured) string {
	desired := resource.Desired[cluster]
	if !policy.Supported(resource.APIVersion, resource.Kind) {
		for key := range desired.Object {
			if key == "metadata" {
				continue
			}
			if at, same := policy.Contains(manifest.Object[key], desired.Object[key]); !same {
				return "does not carry " + policy.Human("/"+key+at) + " of the cluster yet"
			}
		}
		return ""
	}
	want, _, _ := unstructured.NestedFieldNoCopy(desired.Object, "spec", "template")
	have, _, _ := unstructured.NestedFieldNoCopy(manifest.Object, "spec", "template")
	if at, same := policy.Contains(have, want); !same {
		return "does not carry " + policy.Human("/spec/template"+at) + " of the cluster yet"
	}
	if replicas, divided := policy.Replicas(manifest); divided && replicas != resource.Replicas[cluster] {
		return fmt.Sprintf("carries %d replicas, and the cluster has %d", replicas, resource.Replicas[cluster])
	}
	return ""
}

func generationOf(manifest *unstructured.Unstructured) int64 {
	value, err := strconv.ParseInt(manifest.GetAnnotations()[mark.TemplateGeneration], 10, 64)
	if err != nil {
		return 0
	}
	return value
}
