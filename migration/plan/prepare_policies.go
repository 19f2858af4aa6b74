package plan

import (
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// policies are suspended wherever the application is not open: at this point, everywhere.
func (j *journey) policies() outcome {
	var wrote []string
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		want := resource.Policy.DeepCopy()
		want.Spec.Suspension = policy.Suspension(resource.Clusters, func(cluster string) bool { return j.open(resource.Users, cluster) })
		if want.Spec.Suspension != nil {
			policy.Hold(&want.Spec.Placement)
		}
		j.markDeparted(want)
		existing := j.Control.Policies[want.Name]
		if existing != nil && samePolicy(existing, want) {
			continue
		}
		j.act(Action{Verb: WritePolicy, Ref: policyRef(want.Name), Policy: want, Seen: seen(existing)})
		wrote = append(wrote, want.Name)
	}
	if len(wrote) > 0 {
		return j.written("policies " + strings.Join(wrote, ", "))
	}
	return proceed
}

// markDeparted keeps the mark on the policies of an application that is on its way out.
func (j *journey) markDeparted(want *policyv1alpha1.PropagationPolicy) {
	if j.Entry == nil {
		if want.Annotations == nil {
			want.Annotations = map[string]string{}
		}
		want.Annotations[v1alpha1.AnnotationCutOff] = j.Owner
	}
}

func samePolicy(existing, want *policyv1alpha1.PropagationPolicy) bool {
	return equality.Semantic.DeepEqual(existing.Spec, want.Spec) && subset(existing.Labels, want.Labels) &&
		subset(existing.Annotations, want.Annotations) &&
		existing.Annotations[v1alpha1.AnnotationCutOff] == want.Annotations[v1alpha1.AnnotationCutOff]
}
