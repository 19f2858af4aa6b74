package plan

import (
	"fmt"
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
var leave = []step{
	{"leave-closed", (*journey).closed},
	{"reach", (*journey).reach},
	{"discover", (*journey).discover},
	{"quiet", (*journey).quiet},
	{"ownership", (*journey).ownership},
	{"overrides", (*journey).overrides},
	{"policies", (*journey).policies},
	{"templates", (*journey).templates},
	{"bindings", (*journey).bindings},
	{"fence", (*journey).fence},
	{"prove", (*journey).prove},
	{"approve", (*journey).approve},
	{"leave-commit", (*journey).commit},
	{"leave-unprotect", (*journey).unprotect},
	{"leave-templates", (*journey).deleteTemplates},
	{"leave-gone", (*journey).gone},
	{"leave-policies", (*journey).deletePolicies},
	{"leave-verify", (*journey).verify},
}

// closed keeps the policies suspended through the whole way.
func (j *journey) closed() outcome {
	if j.purging() {
		return proceed
	}
	j.enter(v1alpha1.PhaseLeaving, v1alpha1.ReasonLeaving, "leaving the federation for good")
	return proceed
}

// commit takes the evidence and records that deletion begins: from here publishing waits.
func (j *journey) commit() outcome {
	if j.purging() {
		return proceed
	}
	for i := range j.next.Clusters {
		cluster := &j.next.Clusters[i]
		cluster.Before, cluster.After = take(j.Now, j.live(cluster.Name, j.workload()), j.Clusters[cluster.Name].Pods), nil
	}
	j.next.Management = v1alpha1.ManagementChanging
	j.history(v1alpha1.ReasonLeaving, "the plan is approved; removing the control plane's objects")
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
	annotations := map[string]*string{v1alpha1.AnnotationCutOff: nil, v1alpha1.AnnotationGuarded: nil, v1alpha1.AnnotationLeaving: ptr.To(j.Owner)}
	labels := map[string]*string{workv1alpha2.DeletionProtectionLabelKey: nil}
	for _, resource := range j.own() {
		if template := j.Control.Templates[resource.ResourceReference]; template != nil && template.GetAnnotations()[v1alpha1.AnnotationLeaving] == "" {
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

// deleteTemplates one pass after the Works were seen preserving.
func (j *journey) deleteTemplates() outcome {
	for _, resource := range j.own() {
		if j.Control.Templates[resource.ResourceReference] == nil {
			continue
		}
		if why := j.unpreserved(resource); why != "" {
			return j.block(v1alpha1.ReasonAwaitingKarmada, "%s", why)
		}
		j.act(Action{Verb: Delete, Ref: resource.ResourceReference})
	}
	if len(j.decision.Actions) > 0 {
		return j.written("deletion of templates")
	}
	return proceed
}

// unpreserved says which Work would take its member's object with it, or could not let go of it.
func (j *journey) unpreserved(resource v1alpha1.ResourceStatus) string {
	for _, name := range resource.Clusters {
		work, exists := j.Clusters[name].Works[resource.ResourceReference]
		user := policy.User(resource.ResourceReference)
		switch {
		case !exists || work.Deleting:
			continue
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
		for _, name := range resource.Clusters {
			if _, exists := j.Clusters[name].Works[resource.ResourceReference]; exists {
				return j.wait(v1alpha1.ReasonAwaitingKarmada, "Karmada is removing the Work of "+policy.User(resource.ResourceReference)+" for cluster "+name, soon)
			}
		}
	}
	return proceed
}

func (j *journey) deletePolicies() outcome {
	for _, resource := range j.own() {
		if existing := j.Control.Policies[resource.Policy]; existing != nil && existing.DeletionTimestamp.IsZero() {
			j.act(Action{Verb: Delete, Ref: policyRef(resource.Policy)})
		}
		if existing := j.Control.Overrides[resource.Policy]; existing != nil && existing.DeletionTimestamp.IsZero() {
			j.act(Action{Verb: Delete, Ref: overrideRef(resource.Policy)})
		}
	}
	if len(j.decision.Actions) > 0 {
		return j.written("deletion of policies")
	}
	return proceed
}

// verify that the members have what they had.
func (j *journey) verify() outcome {
	for i := range j.next.Clusters {
		cluster := &j.next.Clusters[i]
		if why := j.Clusters[cluster.Name].Unreachable; why != "" {
			return j.block(v1alpha1.ReasonClusterUnreachable, "cluster %s does not answer (%s): what it has is not verified yet", cluster.Name, why)
		}
		workload := j.live(cluster.Name, j.workload())
		if workload == nil {
			return j.block(v1alpha1.ReasonEvidenceChanged, "%s is gone from cluster %s", policy.User(j.workload()), cluster.Name)
		}
		cluster.After = take(j.Now, workload, j.Clusters[cluster.Name].Pods)
		if why := changed(cluster.Before, cluster.After, j.autoscaled()); why != "" {
			return j.block(v1alpha1.ReasonEvidenceChanged, "in cluster %s %s", cluster.Name, why)
		}
	}
	j.enter(v1alpha1.PhaseLeft, v1alpha1.ReasonLeft, "left the federation; every object is still in "+list(j.names()))
	j.condition(v1alpha1.ConditionUnchanged, metav1.ConditionTrue, v1alpha1.ReasonUnchanged, "specs, revisions, pods and restart counts are as they were")
	return j.wait(v1alpha1.ReasonLeft, "left the federation", resting)
}

// referrers of a shared object's policy.
func referrers(existing *policyv1alpha1.PropagationPolicy) []string {
	value := existing.Annotations[v1alpha1.AnnotationReferrers]
	if value == "" {
		return nil
	}
	return strings.Split(value, ",")
}
