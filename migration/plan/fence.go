package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

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

// consent names the plan and who approved it, for the history: approvals of past plans are not kept.
func (j *journey) consent() string {
	if j.next.Plan == nil {
		return "no plan is on record"
	}
	text := "plan " + j.next.Plan.Hash
	if approvers := Approvers(j.Spec.Approvals, j.next.Plan.Hash, ApprovalsSince(j.next)); len(approvers) > 0 {
		text += ", approved by " + strings.Join(approvers, ", ")
	} else {
		text += ", without approvals"
	}
	return text
}

// withdrawn records who took back an approval of the plan that waits: it is gone from the spec, and nobody else would know.
func (j *journey) withdrawn(approvers []string) {
	if j.samePlan() {
		for _, user := range j.next.Approvers {
			if !slices.Contains(approvers, user) {
				message := fmt.Sprintf("%s withdrew their approval of plan %s", user, j.next.Plan.Hash)
				j.event(true, v1alpha1.ReasonApprovalWithdrawn, message)
				j.history(v1alpha1.ReasonApprovalWithdrawn, message)
			}
		}
	}
	j.next.Approvers = approvers
}

// rejected says whether somebody who read exactly this plan will not have it. That wins over any number of approvals. Who rejects and who
// takes it back is on record: the spec shows only what stands.
func (j *journey) rejected() outcome {
	rejections := Rejections(j.Spec.Approvals, j.next.Plan.Hash, ApprovalsSince(j.next))
	var users, said []string
	for _, rejection := range rejections {
		users = append(users, rejection.User)
		said = append(said, fmt.Sprintf("%s (%s)", rejection.User, rejection.Reason))
		if !slices.Contains(j.next.RejectedBy, rejection.User) || !j.samePlan() {
			message := fmt.Sprintf("%s rejected plan %s: %s", rejection.User, j.next.Plan.Hash, rejection.Reason)
			j.event(true, v1alpha1.ReasonRejected, message)
			j.history(v1alpha1.ReasonRejected, message)
		}
	}
	for _, user := range j.next.RejectedBy {
		if j.samePlan() && !slices.Contains(users, user) {
			message := fmt.Sprintf("%s took back their rejection of plan %s", user, j.next.Plan.Hash)
			j.event(true, v1alpha1.ReasonRejectionWithdrawn, message)
			j.history(v1alpha1.ReasonRejectionWithdrawn, message)
		}
	}
	j.next.RejectedBy = users
	if len(users) == 0 {
		return proceed
	}
	message := fmt.Sprintf("plan %s is rejected by %s: put that right, which makes another plan, or have them approve it after all, or roll "+
		"it back ('argosyctl migration rollback')", j.next.Plan.Hash, strings.Join(said, ", "))
	if j.Entry != nil {
		j.enter(v1alpha1.PhaseAwaitingApproval, v1alpha1.ReasonAwaitingApproval, "plan "+j.next.Plan.Hash+" waits for people")
	}
	j.condition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonRejected, message)
	j.next.Blocked = v1alpha1.ReasonRejected
	return j.wait(v1alpha1.ReasonRejected, message, waiting)
}

// samePlan says whether the plan is the one that was on record before.
func (j *journey) samePlan() bool {
	return j.Status.Plan != nil && j.Status.Plan.Hash == j.next.Plan.Hash
}

// approve waits for enough people to have read and approved exactly this plan.
func (j *journey) approve() outcome {
	approvers := Approvers(j.Spec.Approvals, j.next.Plan.Hash, ApprovalsSince(j.next))
	j.withdrawn(approvers)
	// Who lowers the number does not approve with it: as many as before must, once.
	j.next.RequiredApprovals = max(j.next.RequiredApprovals, int32(j.Strategy.Approvals))
	needed := int(j.next.RequiredApprovals)
	j.next.ApprovalsDone = fmt.Sprintf("%d/%d", len(approvers), needed)
	if result := j.rejected(); result == stop {
		return stop
	}
	if len(approvers) < needed {
		message := fmt.Sprintf(
			"plan %s has %d of %d approvals: read it with 'argosyctl migration plan -n %s %s', approve it with 'argosyctl migration approve'",
			j.next.Plan.Hash, len(approvers), needed, j.Namespace, policy.User(j.workload()))
		j.condition(v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval, message)
		if j.Entry != nil {
			j.enter(v1alpha1.PhaseAwaitingApproval, v1alpha1.ReasonAwaitingApproval,
				fmt.Sprintf("plan %s waits for %d approvals", j.next.Plan.Hash, needed))
		}
		return j.wait(v1alpha1.ReasonAwaitingApproval, message, waiting)
	}
	j.next.RequiredApprovals = int32(j.Strategy.Approvals)
	by := "approved by " + strings.Join(approvers, ", ")
	if len(approvers) == 0 {
		by = "let through without approvals: whitelist " + cmp.Or(j.next.Whitelist, "-") + " requires none"
	}
	j.condition(v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonApproved, by)
	return proceed
}
