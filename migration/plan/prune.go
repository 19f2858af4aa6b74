package plan

import (
	"fmt"
	"slices"
	"strings"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// prune takes out of the control plane what a release gave up ('argosyctl publish --prune'), and says what of it is under way. It is the
// one way on which an object is deleted in a member, and it is asked for by name: first no binding and no Work preserves it any more, then
// the template goes, and Karmada deletes what it manages; policy and overrides go last. Only of a federated application that nothing
// speaks against: a rollback takes the wish back.
func (j *journey) prune() string {
	var under []string
	for _, resource := range j.federated() {
		if !j.givenUp(resource) {
			continue
		}
		name := policy.User(resource.ResourceReference)
		switch why := j.stillPreserved(resource); {
		case why != "":
			under = append(under, name+" "+why)
		case j.Control.Templates[resource.ResourceReference] != nil:
			j.takeOut(resource.ResourceReference, j.Control.Templates[resource.ResourceReference])
			under = append(under, name+" is being taken out of the control plane")
		case j.holdsStill(resource.ResourceReference):
			under = append(under, name+" is being deleted from its clusters")
		default:
			j.forgetPruned(resource)
		}
	}
	return strings.Join(under, "; ")
}

// givenUp says whether a release asked for an object to be taken out: one of the application's own, and never its workload.
func (j *journey) givenUp(resource v1alpha1.ResourceStatus) bool {
	existing := j.Control.Policies[resource.Policy]
	return existing != nil && existing.Annotations[v1alpha1.AnnotationPruned] == j.Owner && len(resource.Users) < 2 &&
		len(referrers(existing)) < 2 && resource.ResourceReference != j.workload() && existing.Spec.Suspension == nil
}

// stillPreserved says where Karmada would keep the object of a template that goes, and write its stored manifest.
func (j *journey) stillPreserved(resource v1alpha1.ResourceStatus) string {
	if j.Control.Templates[resource.ResourceReference] == nil {
		return ""
	}
	binding := j.Control.Bindings[resource.ResourceReference]
	if binding == nil || ptr.Deref(binding.Spec.PreserveResourcesOnDeletion, false) {
		return "is given up, and its binding still preserves it"
	}
	for _, cluster := range sortedKeys(j.Clusters) {
		if work, exists := j.Clusters[cluster].Works[resource.ResourceReference]; exists && work.Preserve && !work.Deleting {
			return "is given up, and its Work for cluster " + cluster + " still preserves it"
		}
	}
	return ""
}

// holdsStill says whether Karmada still holds anything of an object whose template is gone.
func (j *journey) holdsStill(ref Ref) bool {
	if j.Control.Bindings[ref] != nil {
		return true
	}
	for _, cluster := range j.Clusters {
		if _, exists := cluster.Works[ref]; exists {
			return true
		}
	}
	return false
}

// protectedObject is a template, policy or override.
type protectedObject interface {
	GetLabels() map[string]string
	GetResourceVersion() string
}

// takeOut deletes an object of the control plane, in the pass after the one that ends its protection.
func (j *journey) takeOut(ref Ref, object protectedObject) {
	if object.GetLabels()[workv1alpha2.DeletionProtectionLabelKey] != "" {
		j.act(Action{Verb: Mark, Ref: ref, Labels: map[string]*string{workv1alpha2.DeletionProtectionLabelKey: nil}})
		return
	}
	j.act(Action{Verb: Delete, Ref: ref, Seen: object.GetResourceVersion()})
}

// forgetPruned takes policy and overrides of what is gone, and then the record of it.
func (j *journey) forgetPruned(resource v1alpha1.ResourceStatus) {
	if existing := j.Control.Overrides[resource.Policy]; existing != nil && existing.Labels[v1alpha1.LabelManagedBy] == j.Owner {
		j.takeOut(overrideRef(resource.Policy), existing)
		return
	}
	existing := j.Control.Policies[resource.Policy]
	j.takeOut(policyRef(resource.Policy), existing)
	if existing.Labels[workv1alpha2.DeletionProtectionLabelKey] != "" {
		return
	}
	name := policy.User(resource.ResourceReference)
	j.next.Resources = slices.DeleteFunc(j.next.Resources,
		func(recorded v1alpha1.ResourceStatus) bool {
			return recorded.ResourceReference == resource.ResourceReference
		})
	message := fmt.Sprintf("%s left the folder of its release and is gone from %s", name, list(slices.Clone(resource.Clusters)))
	j.event(false, v1alpha1.ReasonPruned, message)
	j.history(v1alpha1.ReasonPruned, message)
}

// keepGivenUp takes back what a release asked for, once a rollback has begun: nothing is deleted then.
func (j *journey) keepGivenUp() {
	for _, resource := range j.federated() {
		if existing := j.Control.Policies[resource.Policy]; existing != nil && existing.Annotations[v1alpha1.AnnotationPruned] != "" {
			j.act(Action{Verb: Mark, Ref: policyRef(resource.Policy), Annotations: map[string]*string{v1alpha1.AnnotationPruned: nil}})
		}
	}
}
