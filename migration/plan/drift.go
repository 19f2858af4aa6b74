package plan

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// drift says where a federated application is not what the control plane holds, by what Karmada observed: a Work that its cluster refuses,
// that somebody suspended, or that is being deleted while its template stands. What an owner edits in a member Karmada undoes by itself;
// these it does not.
func (j *journey) drift() string {
	var found []string
	for _, resource := range j.federated() {
		if j.givenUp(resource) || len(resource.Users) > 1 {
			continue
		}
		for _, cluster := range sortedKeys(j.Clusters) {
			work, exists := j.Clusters[cluster].Works[resource.ResourceReference]
			at := policy.User(resource.ResourceReference) + " in cluster " + cluster
			switch {
			case !exists:
			case work.Deleting:
				found = append(found, at+" has a Work that is being deleted")
			case work.Suspended:
				found = append(found, at+" is not written any more: its Work is suspended")
			case work.Refused != "":
				found = append(found, at+" is not what the control plane holds: "+work.Refused)
			}
		}
	}
	return strings.Join(found, "; ")
}

// synced records whether members hold what the control plane does, and tells of the first that does not.
func (j *journey) synced() (drifted string) {
	drifted = j.drift()
	if drifted == "" {
		j.condition(v1alpha1.ConditionSynced, metav1.ConditionTrue, v1alpha1.ReasonSynced,
			"Karmada reports no object of the application that its clusters refuse")
		return ""
	}
	j.condition(v1alpha1.ConditionSynced, metav1.ConditionFalse, v1alpha1.ReasonDrifted, drifted)
	return drifted
}
