package plan

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// prove draws the plan from dry runs in the members and refuses it when anything but bookkeeping changes.
func (j *journey) prove() outcome {
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		for _, cluster := range resource.Clusters {
			if _, ran := j.Clusters[cluster].DryRuns[resource.ResourceReference]; !ran {
				return j.wait(v1alpha1.ReasonAwaitingKarmada, "dry runs in the members are under way", soon)
			}
			if result := j.proved(resource.ResourceReference, cluster, "no plan is drawn up"); result == stop {
				return stop
			}
		}
	}
	purpose := v1alpha1.PlanTakeOver
	if j.Entry == nil {
		purpose = v1alpha1.PlanLeave
	}
	plan := draw(purpose, j.resources, j.Clusters, j.Strategy.Terms)
	plan.Time = metav1.NewTime(j.Now)
	if old := j.next.Plan; old != nil && old.Hash == plan.Hash {
		plan.Time = old.Time
	}
	j.next.Plan = &plan
	if plan.Harmful > 0 {
		message := harm(plan) + j.touchMissed()
		j.condition(v1alpha1.ConditionPlanned, metav1.ConditionFalse, v1alpha1.ReasonPlanHarmful, message)
		return j.block(v1alpha1.ReasonPlanHarmful, "%s", message)
	}
	j.condition(v1alpha1.ConditionPlanned, metav1.ConditionTrue, v1alpha1.ReasonPlanEmpty,
		"dry runs in all members change bookkeeping metadata only; plan "+plan.Hash)
	return proceed
}

// proved stops where it is not known what Karmada's write of an object would change in a cluster.
func (j *journey) proved(ref Ref, cluster, so string) outcome {
	why := j.Clusters[cluster].DryRuns[ref].Untried
	if why == "" {
		return proceed
	}
	return j.block(v1alpha1.ReasonUnproved, "what Karmada's write of %s would change in cluster %s is not known: %s: %s until it is",
		policy.User(ref), cluster, why, so)
}

// touchMissed touches the templates whose Works lack a field that template and members have. After a CRD of the control plane was
// upgraded, Karmada's watch may have seen the template that was written anew by the old schema, and no event comes after it: any
// change of the template makes it look again.
func (j *journey) touchMissed() string {
	said := ""
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		for _, cluster := range resource.Clusters {
			manifest, template := j.Clusters[cluster].Works[resource.ResourceReference].Manifest, j.Control.Templates[resource.ResourceReference]
			if manifest == nil || template == nil {
				continue
			}
			at := policy.Lacks(manifest.Object, resource.Desired[cluster].Object)
			if at == "" {
				continue
			}
			now := j.Now.UTC().Format(time.RFC3339)
			j.act(
				Action{Verb: Mark, Ref: resource.ResourceReference, Annotations: map[string]*string{v1alpha1.AnnotationTouched: &now}},
				Action{Verb: Mark, Ref: resource.ResourceReference, Annotations: map[string]*string{v1alpha1.AnnotationTouched: nil}},
			)
			said += fmt.Sprintf("; Karmada's Work for cluster %s lacks %s of %s, which the template has: the template is touched, so that "+
				"Karmada looks at it again", cluster, policy.Human(at), policy.User(resource.ResourceReference))
			break
		}
	}
	return said
}

// harm says the first harmful changes of a plan in one line.
func harm(plan v1alpha1.Plan) string {
	var found []string
	for _, resource := range plan.Resources {
		at := policy.User(resource.ResourceReference) + " in cluster " + resource.Cluster
		if resource.Error != "" {
			found = append(found, at+" refuses the write: "+resource.Error)
		}
		for _, change := range resource.Changes {
			if change.Kind == v1alpha1.ChangeHarmful {
				found = append(found, fmt.Sprintf("%s: %s would change from %s to %s", at, change.Path, orNothing(change.Live),
					orNothing(change.Planned)))
			}
		}
	}
	more := ""
	if len(found) > 3 {
		more = fmt.Sprintf("; and %d more", len(found)-3)
		found = found[:3]
	}
	return strings.Join(found, "; ") + more + " (see 'argosyctl migration plan')"
}

func orNothing(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}
