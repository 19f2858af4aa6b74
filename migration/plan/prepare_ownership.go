package plan

import (
	"fmt"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// ownership refuses what somebody else manages.
func (j *journey) ownership() outcome {
	if want := policy.Name(j.Spec.Kind, j.Spec.Name); j.Owner != want {
		return j.block(v1alpha1.ReasonAlreadyManaged, "a Migration is named after its workload: %s is for Migration %s, delete this one",
			policy.User(j.workload()), want)
	}
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		if why := j.foreign(resource); why != "" {
			return j.block(v1alpha1.ReasonAlreadyManaged, "%s", why)
		}
	}
	return proceed
}

// alive says whether another Migration of that name has anything in the control plane.
func (j *journey) alive(owner string) bool {
	for _, neighbour := range j.Neighbours {
		if neighbour.Owner == owner && !neighbour.Gone {
			return true
		}
	}
	return false
}

func (j *journey) foreign(resource *policy.Resource) string {
	name := policy.User(resource.ResourceReference)
	template := j.Control.Templates[resource.ResourceReference]
	uid := ""
	if template != nil {
		uid = string(template.GetUID())
		if by := template.GetLabels()[v1alpha1.LabelManagedBy]; by == "" {
			return fmt.Sprintf(
				"%s is in the control plane already and not ours: delete it there (it manages nothing here), or label it %s=%s to hand it over", name,
				v1alpha1.LabelManagedBy, j.Owner)
		} else if len(resource.Users) < 2 && j.alive(by) {
			return fmt.Sprintf("%s belongs to Migration %s: let that leave first ('argosyctl migration leave')", name, by)
		}
		annotations := template.GetAnnotations()
		if by := annotations["clusterpropagationpolicy.karmada.io/name"]; by != "" {
			return fmt.Sprintf("%s is held by ClusterPropagationPolicy %s: take it out of that policy's selectors", name, by)
		}
		if by := annotations["propagationpolicy.karmada.io/name"]; by != "" && by != resource.Policy.Name {
			return fmt.Sprintf("%s is held by PropagationPolicy %s: take it out of that policy's selectors", name, by)
		}
	}
	if existing := j.Control.Policies[resource.Policy.Name]; existing != nil && existing.Labels[v1alpha1.LabelManagedBy] == "" {
		return fmt.Sprintf("PropagationPolicy %s exists and is not ours: rename it or delete it", resource.Policy.Name)
	}
	if rival := rival(j.Control, resource); rival != "" {
		return fmt.Sprintf("%s would also be claimed by %s: take it out of that policy's selectors", name, rival)
	}
	for _, cluster := range resource.Clusters {
		live := j.live(cluster, resource.ResourceReference)
		if live.GetLabels()["karmada.io/managed"] == "true" && (uid == "" || live.GetAnnotations()["resourcetemplate.karmada.io/uid"] != uid) {
			return fmt.Sprintf(
				"%s in cluster %s bears karmada.io/managed: another control plane manages it, or the label was copied with its YAML; if the latter, "+
					"remove the label there", name, cluster)
		}
	}
	return ""
}

// rival names another policy that could claim the template before ours or take it from ours.
func rival(control Control, resource *policy.Resource) string {
	for _, name := range sortedKeys(control.Policies) {
		if name == resource.Policy.Name {
			continue
		}
		spec := &control.Policies[name].Spec
		if policy.Rivals(spec, resource.Template) {
			return "PropagationPolicy " + name
		}
	}
	for _, name := range sortedKeys(control.ClusterPolicies) {
		if policy.Rivals(&control.ClusterPolicies[name].Spec, resource.Template) {
			return "ClusterPropagationPolicy " + name
		}
	}
	return ""
}
