package gate

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// Bounds of the approvals an object keeps: beyond KeepApprovals those go that are older than KeepFor and open nothing any more.
const (
	KeepApprovals = 64
	KeepFor       = 24 * time.Hour
)

// Added are the indices in after of what is not in before. Each of before stands for one: what is there twice was added once.
func Added[T any](before, after []T) []int {
	matched := make([]bool, len(before))
	var out []int
next:
	for i := range after {
		for j := range before {
			if !matched[j] && equality.Semantic.DeepEqual(before[j], after[i]) {
				matched[j] = true
				continue next
			}
		}
		out = append(out, i)
	}
	return out
}

// Edit is a write of an object's approvals.
type Edit struct {
	// User who writes.
	User string
	// Before and After are the approvals, and Pending what waited before the write.
	Before, After []v1alpha1.Approval
	Pending       []v1alpha1.PendingApproval
}

// Stamp gives the approvals with who decided and when in each that is new or changed, whatever time was sent; another's name is
// refused. An approval that is as it was keeps its stamp.
func (e Edit) Stamp(now metav1.Time) ([]v1alpha1.Approval, error) {
	// A time as the API server will give it back: in seconds.
	now = metav1.NewTime(now.Truncate(time.Second))
	out := slices.Clone(e.After)
	for _, i := range Added(e.Before, e.After) {
		if by := out[i].By; by != "" && by != e.User {
			return nil, fmt.Errorf("spec.approvals[%d].by: %s cannot decide in the name of %s: leave it out, admission writes it", i, e.User, by)
		}
		out[i].By, out[i].At = e.User, &now
	}
	return prune(out, e.Pending, now.Time), nil
}

// prune takes the oldest approvals off that are beyond the bound, old, and about nothing that waits.
func prune(approvals []v1alpha1.Approval, pending []v1alpha1.PendingApproval, now time.Time) []v1alpha1.Approval {
	var spent []int
	for i, a := range approvals {
		if !waits(pending, a) && a.At != nil && now.Sub(a.At.Time) > KeepFor {
			spent = append(spent, i)
		}
	}
	slices.SortStableFunc(spent, func(a, b int) int { return approvals[a].At.Compare(approvals[b].At.Time) })
	spent = spent[:min(len(spent), max(0, len(approvals)-KeepApprovals))]
	var out []v1alpha1.Approval
	for i := range approvals {
		if !slices.Contains(spent, i) {
			out = append(out, approvals[i])
		}
	}
	return out
}

// Refusal says what is wrong with a write that is stamped; empty: nothing.
func (e Edit) Refusal() string {
	for _, i := range Added(e.Before, e.After) {
		approval := e.After[i]
		at := fmt.Sprintf("spec.approvals[%d]: ", i)
		switch {
		case IsProgram(e.User):
			return at + ByPeople("an operation", e.User)
		case approval.By != e.User || approval.At == nil:
			return at + "an approval bears the name of whoever gives it and the time: admission writes both"
		case len(e.Pending) == 0:
			return at + "no operation waits for an approval"
		case !waits(e.Pending, approval):
			return at + fmt.Sprintf("no operation %s waits at gate %s: status.pendingApprovals names those that do", approval.OperationID,
				approval.Gate)
		}
	}
	return e.withdrawal()
}

// withdrawal is refused of another's rejection, while what it keeps shut still waits. To take an approval back shuts a gate again:
// everybody may who may approve.
func (e Edit) withdrawal() string {
	for _, i := range Added(e.After, e.Before) {
		gone := e.Before[i]
		if gone.Decision == v1alpha1.Reject && gone.By != "" && gone.By != e.User && waits(e.Pending, gone) {
			return fmt.Sprintf("spec.approvals: only %s can take back their rejection of operation %s at gate %s", gone.By, gone.OperationID,
				gone.Gate)
		}
	}
	return ""
}

func waits(pending []v1alpha1.PendingApproval, approval v1alpha1.Approval) bool {
	return slices.ContainsFunc(pending, func(p v1alpha1.PendingApproval) bool {
		return p.Gate == approval.Gate && p.OperationID == approval.OperationID
	})
}
