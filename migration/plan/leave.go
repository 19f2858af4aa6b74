package plan

import (
	"fmt"
	"slices"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// leave removes an application that is cut off from the control plane for good. Deleting a template makes
// Karmada write the Work's stored manifest into the member (minus its own metadata): so the templates are
// first made exactly what the members have, that is proved and approved like a take-over, and only then deleted.
var leave = slices.Concat(
	[]step{{name: "readable", run: (*journey).readable}, {name: "leave-closed", run: (*journey).leaving}},
	prepare,
	[]step{
		{name: "leave-commit", run: (*journey).commit},
		{name: "leave-unprotect", run: (*journey).unprotect},
		{name: "leave-proved", run: (*journey).stillProved},
		{name: "leave-unmark", run: (*journey).unmark},
		{name: "leave-templates", run: (*journey).deleteTemplates},
		{name: "leave-gone", run: (*journey).gone},
		{name: "leave-policies", run: (*journey).deletePolicies},
		{name: "leave-home", run: (*journey).home},
		{name: "leave-verify", run: (*journey).verify},
	},
)

// own resources are those no other application uses.
func (j *journey) own() []v1alpha1.ResourceStatus {
	var out []v1alpha1.ResourceStatus
	for _, resource := range j.federated() {
		if len(resource.Users) < 2 {
			out = append(out, resource)
		}
	}
	return out
}

// dispatched are the clusters for which Karmada holds a Work that is not being deleted yet.
func (j *journey) dispatched(resource v1alpha1.ResourceStatus) []string {
	var out []string
	for _, name := range sortedKeys(j.Clusters) {
		if work, exists := j.Clusters[name].Works[resource.ResourceReference]; exists && !work.Deleting {
			out = append(out, name)
		}
	}
	return out
}

// unpreserved says which Work would take its member's object with it, or could not let go of it.
func (j *journey) unpreserved(resource v1alpha1.ResourceStatus) string {
	for _, name := range j.dispatched(resource) {
		work := j.Clusters[name].Works[resource.ResourceReference]
		user := policy.User(resource.ResourceReference)
		switch {
		case !work.Preserve:
			return fmt.Sprintf("the Work of %s for cluster %s does not preserve on deletion: its template is not deleted until it does", user, name)
		case j.Clusters[name].Unreachable != "":
			return fmt.Sprintf("cluster %s does not answer: templates are not deleted until it does", name)
		case j.live(name, resource.ResourceReference) == nil:
			return fmt.Sprintf("%s is missing in cluster %s, and its Work could never finish: put it back there first", user, name)
		}
	}
	return ""
}

// referrers of a shared object's policy.
func referrers(existing *policyv1alpha1.PropagationPolicy) []string {
	value := existing.Annotations[v1alpha1.AnnotationReferrers]
	if value == "" {
		return nil
	}
	return strings.Split(value, ",")
}
