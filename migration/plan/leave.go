package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

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

// leaving starts the way out.
func (j *journey) leaving() outcome {
	if j.purging() {
		return proceed
	}
	if !j.plannedFor(v1alpha1.PlanLeave) {
		j.forget()
	}
	j.enter(v1alpha1.PhaseLeaving, v1alpha1.ReasonLeaving, "leaving the federation for good")
	return j.guardAgain()
}

// guardAgain takes back what a removal had let go of when it found a member changed: until another plan is approved, which may take
// hours, nobody shall delete a template.
func (j *journey) guardAgain() outcome {
	annotations := map[string]*string{v1alpha1.AnnotationLeaving: nil, v1alpha1.AnnotationCutOff: ptr.To(j.Owner)}
	labels := map[string]*string{workv1alpha2.DeletionProtectionLabelKey: ptr.To(workv1alpha2.DeletionProtectionAlways)}
	for _, resource := range j.own() {
		template := j.Control.Templates[resource.ResourceReference]
		if template != nil &&
			(template.GetAnnotations()[v1alpha1.AnnotationLeaving] != "" || template.GetLabels()[v1alpha1.LabelManagedBy] == "") {
			closed, owned := maps.Clone(annotations), maps.Clone(labels)
			closed[v1alpha1.AnnotationClosed], owned[v1alpha1.LabelManagedBy] = ptr.To(j.Owner), ptr.To(j.Owner)
			j.act(Action{Verb: Mark, Ref: resource.ResourceReference, Annotations: closed, Labels: owned})
		}
		if existing := j.Control.Policies[resource.Policy]; existing != nil && existing.Annotations[v1alpha1.AnnotationLeaving] != "" {
			j.act(Action{Verb: Mark, Ref: policyRef(resource.Policy), Annotations: annotations, Labels: labels})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.written("the marks that guard templates and policies")
	}
	return proceed
}

// commit takes the evidence and records that deletion begins: from here publishing waits.
func (j *journey) commit() outcome {
	if j.purging() {
		return proceed
	}
	for i := range j.next.Clusters {
		cluster := &j.next.Clusters[i]
		cluster.Before, cluster.After = j.evidence(cluster.Name), nil
	}
	now := metav1.NewTime(j.Now)
	j.next.Management, j.next.RemovalStartTime = v1alpha1.ManagementChanging, &now
	j.history(v1alpha1.ReasonLeaving, "removing the control plane's objects: "+j.consent())
	return j.wait(v1alpha1.ReasonLeaving, "removing the control plane's objects", soon)
}

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

// unprotect replaces the mark that admission guards by the one that lets go.
func (j *journey) unprotect() outcome {
	annotations := map[string]*string{
		v1alpha1.AnnotationCutOff: nil, v1alpha1.AnnotationGuarded: nil, v1alpha1.AnnotationClosed: nil,
		v1alpha1.AnnotationLeaving: ptr.To(j.Owner),
	}
	labels := map[string]*string{workv1alpha2.DeletionProtectionLabelKey: nil}
	for _, resource := range j.own() {
		if template := j.Control.Templates[resource.ResourceReference]; template != nil &&
			template.GetAnnotations()[v1alpha1.AnnotationLeaving] == "" && template.GetLabels()[v1alpha1.LabelManagedBy] != "" {
			j.act(Action{Verb: Mark, Ref: resource.ResourceReference, Annotations: annotations, Labels: labels})
		}
		if existing := j.Control.Policies[resource.Policy]; existing != nil && existing.Annotations[v1alpha1.AnnotationLeaving] == "" {
			j.act(Action{Verb: Mark, Ref: policyRef(resource.Policy), Annotations: annotations, Labels: labels})
		}
		if existing := j.Control.Overrides[resource.Policy]; existing != nil && existing.Labels[workv1alpha2.DeletionProtectionLabelKey] != "" {
			j.act(Action{Verb: Mark, Ref: overrideRef(resource.Policy), Labels: labels})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.written("the marks that let go")
	}
	return proceed
}

// stillProved looks once more at a dry run of what Karmada writes when it lets go: between approval and deletion the controller may have
// been down.
func (j *journey) stillProved() outcome {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] == nil {
			continue
		}
		for _, name := range j.dispatched(resource) {
			if result := j.proved(resource.ResourceReference, name, "templates are not deleted"); result == stop {
				return stop
			}
		}
	}
	if why := j.outdated(); why != "" {
		if j.untouched() {
			j.next.Management, j.next.RemovalStartTime = v1alpha1.ManagementStatic, nil
			j.event(true, v1alpha1.ReasonPlanHarmful, why+": the plan is drawn up anew")
			return j.wait(v1alpha1.ReasonLeaving, why+": the plan is drawn up anew", soon)
		}
		return j.block(v1alpha1.ReasonPlanHarmful, "%s since the plan was approved, and templates are being removed: undo that there", why)
	}
	return proceed
}

// deleteTemplates after the Works were seen preserving, and without a mark of ours.
func (j *journey) deleteTemplates() outcome {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] == nil {
			continue
		}
		for _, name := range j.dispatched(resource) {
			if mark := stillMarked(j.Clusters[name].Works[resource.ResourceReference]); mark != "" {
				return j.wait(v1alpha1.ReasonAwaitingKarmada,
					fmt.Sprintf("the Work of %s for cluster %s still bears %s", policy.User(resource.ResourceReference), name, mark), soon)
			}
		}
		if why := j.unpreserved(resource); why != "" {
			return j.block(v1alpha1.ReasonAwaitingKarmada, "%s", why)
		}
		j.act(Action{Verb: Delete, Ref: resource.ResourceReference, Seen: seen(j.Control.Templates[resource.ResourceReference])})
	}
	if len(j.decision.Actions) > 0 {
		return j.written("deletion of templates")
	}
	return proceed
}

// outdated says what a member has that its Work would not write back.
func (j *journey) outdated() string {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] == nil {
			continue
		}
		for _, name := range j.dispatched(resource) {
			at := policy.User(resource.ResourceReference) + " in cluster " + name
			run, ran := j.Clusters[name].DryRuns[resource.ResourceReference]
			switch {
			case !ran:
				continue // unpreserved says why
			case run.Error != "":
				return at + " refuses the write: " + run.Error
			}
			if changes := Compare(run.Live, run.Result); len(changes) > 0 && changes[0].Kind == v1alpha1.ChangeHarmful {
				return fmt.Sprintf("%s changed at %s", at, changes[0].Path)
			}
		}
	}
	return ""
}

// untouched says whether no template was removed yet.
func (j *journey) untouched() bool {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] == nil {
			return false
		}
	}
	return true
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

// gone waits until Karmada has removed bindings and Works.
func (j *journey) gone() outcome {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] != nil || j.Control.Bindings[resource.ResourceReference] != nil {
			return j.wait(v1alpha1.ReasonAwaitingKarmada, "Karmada is removing the binding of "+policy.User(resource.ResourceReference), soon)
		}
		for _, name := range sortedKeys(j.Clusters) {
			if _, exists := j.Clusters[name].Works[resource.ResourceReference]; exists {
				return j.wait(v1alpha1.ReasonAwaitingKarmada,
					"Karmada is removing the Work of "+policy.User(resource.ResourceReference)+" for cluster "+name, soon)
			}
		}
	}
	return proceed
}

func (j *journey) deletePolicies() outcome {
	for _, resource := range j.own() {
		if existing := j.Control.Policies[resource.Policy]; existing != nil && existing.DeletionTimestamp.IsZero() {
			j.act(Action{Verb: Delete, Ref: policyRef(resource.Policy), Seen: seen(existing)})
		}
		if existing := j.Control.Overrides[resource.Policy]; existing != nil && existing.DeletionTimestamp.IsZero() {
			j.act(Action{Verb: Delete, Ref: overrideRef(resource.Policy), Seen: seen(existing)})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.written("deletion of policies")
	}
	return proceed
}

// verify that the members have what they had. The control plane has nothing of the application any more, so
// whatever is found is said, and does not hold CI/CD back.
func (j *journey) verify() outcome {
	var found []string
	j.next.RemovalStartTime = nil
	for i := range j.next.Clusters {
		cluster := &j.next.Clusters[i]
		if why := j.Clusters[cluster.Name].Unreachable; why != "" {
			j.next.RemovalStartTime = j.Status.RemovalStartTime
			return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s does not answer (%s): what it has is not verified yet", cluster.Name, why)
		}
		workload := j.live(cluster.Name, j.workload())
		if workload == nil {
			found = append(found, fmt.Sprintf("%s is gone from cluster %s", policy.User(j.workload()), cluster.Name))
			continue
		}
		cluster.After = j.evidence(cluster.Name)
		why := changed(cluster.Before, cluster.After, j.autoscaled())
		if why == "" {
			// Nobody looks at the health any more: pods without a successor are said here.
			why = unfollowed(cluster.Before, cluster.After, j.autoscaled())
		}
		if why != "" {
			found = append(found, "in cluster "+cluster.Name+" "+why)
		}
		gone, _ := replaced(cluster.Before, cluster.After)
		cluster.Replaced = int32(len(gone))
	}
	if len(found) > 0 {
		j.event(true, v1alpha1.ReasonEvidenceChanged, strings.Join(found, "; "))
		j.condition(v1alpha1.ConditionUnchanged, metav1.ConditionFalse, v1alpha1.ReasonEvidenceChanged, strings.Join(found, "; "))
		j.enter(v1alpha1.PhaseLeft, v1alpha1.ReasonLeft, "left the federation; meanwhile "+strings.Join(found, "; "))
		return j.wait(v1alpha1.ReasonLeft, "left the federation", soon) // then the namespace is let go of
	}
	j.enter(v1alpha1.PhaseLeft, v1alpha1.ReasonLeft, "left the federation; every object is still in "+list(j.names()))
	j.condition(v1alpha1.ConditionUnchanged, metav1.ConditionTrue, v1alpha1.ReasonUnchanged,
		"specs, revisions and restart counts are as they were; "+j.unchanged())
	return j.wait(v1alpha1.ReasonLeft, "left the federation", soon)
}

// referrers of a shared object's policy.
func referrers(existing *policyv1alpha1.PropagationPolicy) []string {
	value := existing.Annotations[v1alpha1.AnnotationReferrers]
	if value == "" {
		return nil
	}
	return strings.Split(value, ",")
}
