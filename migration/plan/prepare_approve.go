package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

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
