package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
)

// longestLook is how long a release that waits for the end of a window is left alone: clocks are set.
const longestLook = 5 * time.Minute

// frozen says whether a window keeps stages from opening.
func (n *next) frozen(at int) bool {
	name, until, frozen := gate.Frozen(n.spec.FreezeWindows, n.Now)
	if !frozen {
		return false
	}
	message := fmt.Sprintf("freeze window %s: nothing further is opened until %s", name, until.UTC().Format(time.RFC3339))
	for i, window := range n.spec.FreezeWindows {
		if err := gate.CheckWindow(window); err != nil {
			message = fmt.Sprintf("spec.freezeWindows[%d]: %v; nothing further is opened until it is corrected", i, err)
		}
	}
	n.After = min(until.Sub(n.Now), longestLook)
	n.paused(at, v1alpha1.ReasonFrozen, message)
	return true
}

// queried are the Prometheus queries of the stage that are not at zero, or got no answer.
func (n *next) queried(at int) []wait {
	stage := n.spec.Stages[at]
	switch {
	case len(stage.Gates.Prometheus) == 0:
		return nil
	case n.Gates == nil || n.Gates.Stage != stage.Name:
		return []wait{{reason: v1alpha1.ReasonGateUnanswered, message: "its Prometheus queries are to be asked"}}
	case n.Gates.Unwell != "":
		return []wait{{reason: v1alpha1.ReasonGateUnwell, message: n.Gates.Unwell}}
	case n.Gates.Unanswered != "":
		return []wait{{reason: v1alpha1.ReasonGateUnanswered, message: n.Gates.Unanswered}}
	}
	return nil
}

// soaked says whether everything stayed well for long enough.
func (n *next) soaked(at int) bool {
	stage := n.spec.Stages[at]
	left := time.Duration(stage.Gates.SoakSeconds)*time.Second - n.Now.Sub(n.Status.DoneTime.Time)
	if left <= 0 {
		return true
	}
	n.After = min(left, lookAgain)
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonSoaking,
		fmt.Sprintf("stage %s soaks until %s", stage.Name, n.Now.Add(left).UTC().Format(time.RFC3339)))
	return false
}

// failedCheck is what a check of the stage failed with; empty when none did. Checks the stage does not ask for fail it too: somebody has
// seen something.
func (n *next) failedCheck(at int) string {
	for _, c := range n.checks(at) {
		if c.Result == v1alpha1.CheckFailed {
			message := fmt.Sprintf("stage %s: check %s failed, says %s", n.spec.Stages[at].Name, c.Name, c.User)
			if c.Message != "" {
				message += ": " + c.Message
			}
			return message
		}
	}
	return ""
}

// checked says whether all checks of the stage passed.
func (n *next) checked(at int) bool {
	stage := n.spec.Stages[at]
	var missing []string
	for _, name := range stage.Gates.Checks {
		passed := func(c v1alpha1.Check) bool { return c.Name == name && c.Result == v1alpha1.CheckPassed }
		if !slices.ContainsFunc(n.checks(at), passed) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return true
	}
	n.After = lookAgain
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonAwaitingChecks, fmt.Sprintf(
		"stage %s of revision %s waits for: %s; %s --check=%s --result=Passed", stage.Name, n.Template.Revision,
		strings.Join(missing, ", "), n.command("report"), missing[0]))
	return false
}

// checks of the stage and the revision, the last of each name.
func (n *next) checks(at int) []v1alpha1.Check {
	var out []v1alpha1.Check
	for _, c := range n.spec.Checks {
		if c.Revision != n.Template.Revision || c.Stage != n.spec.Stages[at].Name {
			continue
		}
		out = slices.DeleteFunc(out, func(earlier v1alpha1.Check) bool { return earlier.Name == c.Name })
		out = append(out, c)
	}
	return out
}

// approved says whether enough people approved the stage of this revision.
func (n *next) approved(at int) bool {
	stage := n.spec.Stages[at]
	people := map[string]bool{}
	for _, a := range n.spec.Approvals {
		if a.Revision == n.Template.Revision && a.Stage == stage.Name {
			people[a.User] = true
		}
	}
	if len(people) >= int(stage.Gates.Approvals) {
		n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonApproved,
			fmt.Sprintf("stage %s has %d of %d approvals", stage.Name, len(people), stage.Gates.Approvals))
		return true
	}
	message := fmt.Sprintf("stage %s has %d of %d approvals: %s", stage.Name, len(people), stage.Gates.Approvals, n.command("approve"))
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionTrue, v1alpha1.ReasonAwaitingApproval, message)
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval, message)
	n.After = lookAgain // that what is open stays well is looked at meanwhile
	return false
}
