package plan

import (
	"slices"
	"time"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// Approvers of a plan: different people who approved exactly it, after since. Without user and time an
// approval did not pass admission and counts for nothing.
func Approvers(approvals []v1alpha1.Approval, hash string, since time.Time) []string {
	seen := map[string]bool{}
	for _, approval := range approvals {
		if approval.Decision != v1alpha1.DecisionReject && counts(approval, hash, since) {
			seen[approval.User] = true
		}
	}
	return sortedKeys(seen)
}

// Rejections of a plan that count, as approvals do.
func Rejections(approvals []v1alpha1.Approval, hash string, since time.Time) []v1alpha1.Approval {
	var out []v1alpha1.Approval
	for _, approval := range approvals {
		if approval.Decision == v1alpha1.DecisionReject && counts(approval, hash, since) {
			out = append(out, approval)
		}
	}
	return out
}

func counts(approval v1alpha1.Approval, hash string, since time.Time) bool {
	return hash != "" && approval.PlanHash == hash && approval.User != "" && approval.Time != nil && approval.Time.After(since)
}

// Released says whether the application was released since it was last under federation: what trigger
// OnRelease waits for.
func Released(spec v1alpha1.MigrationSpec, status v1alpha1.MigrationStatus) bool {
	return spec.ReleasedTime != nil && spec.ReleasedTime.After(ApprovalsSince(status))
}

// ApprovalsSince is when approvals begin to count: what was approved before the last cut-off was another
// attempt, even when its plan reads the same.
func ApprovalsSince(status v1alpha1.MigrationStatus) time.Time {
	for _, entry := range slices.Backward(status.History) {
		if entry.Phase == v1alpha1.PhaseCuttingOff {
			return entry.Time.Time
		}
	}
	return time.Time{}
}
