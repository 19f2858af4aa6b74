package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

// renew begins the release of a revision that is not the one dispatch is about. Clusters that have it already keep it: it was pushed
// before, and another in between.
func (n *next) renew() {
	d := n.Status.Dispatch
	if d.Revision == n.Template.Revision && (n.Status.Stage != "" || len(d.Open) > 0) {
		return
	}
	if d.Revision != n.Template.Revision {
		n.event(false, v1alpha1.ReasonNewRevision, "revision %s is held; clusters have %s", n.Template.Revision, d.Stable)
		n.remember() // once: nothing may be open yet when it is looked at again
	}
	d.Revision, d.WithOpen = n.Template.Revision, nil
	n.had().dispatch(d)
	n.begin("")
	n.Status.Clusters = nil // What clusters were given was of another revision.
}

// promote opens everything at once.
func promote(n *next) bool {
	if n.spec.Promoted == "" || n.spec.Promoted != n.Template.Revision {
		return false
	}
	n.renew()
	last := n.spec.Stages[len(n.spec.Stages)-1].Name
	if n.Status.Stage != last {
		n.begin(last)
		n.event(false, v1alpha1.ReasonStageOpened, "revision %s is promoted: it is open everywhere", n.Template.Revision)
	}
	n.advance(len(n.spec.Stages) - 1)
	return true
}

// stage goes on with the one that is open.
func stage(n *next) bool {
	n.renew()
	n.condition(v1alpha1.ConditionRolledBack, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionComplete, metav1.ConditionFalse, v1alpha1.ReasonUpdating,
		"revision "+n.Template.Revision+" is not everywhere")
	at := slices.IndexFunc(n.spec.Stages, func(s v1alpha1.Stage) bool { return s.Name == n.Status.Stage })
	n.advance(at)
	return true
}

// advance looks at a stage, and opens the next when it may; -1 is before the first.
func (n *next) advance(at int) {
	for {
		if at >= 0 && !n.done(at) {
			return
		}
		if at == len(n.spec.Stages)-1 {
			n.finish()
			return
		}
		if n.spec.Mode == v1alpha1.ModePause {
			n.paused(at, v1alpha1.ReasonPaused, "spec.mode is Pause: nothing further is opened")
			return
		}
		if n.frozen(at) {
			return
		}
		at++
		n.begin(n.spec.Stages[at].Name)
		n.event(false, v1alpha1.ReasonStageOpened, "stage %s of revision %s is open", n.spec.Stages[at].Name, n.Template.Revision)
	}
}

// finish: what was released is the stable revision.
func (n *next) finish() {
	n.Status.Failure = nil
	n.stable()
	n.settled()
}

// paused: nothing further is opened, and what is open stays so.
func (n *next) paused(at int, reason, message string) {
	if at < 0 {
		n.clusters(n.opened()) // what was taken up is open before the first stage is
	}
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, reason, message)
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
}

// done opens a stage as the world is now, and says whether all gates to the next are open.
func (n *next) done(at int) bool {
	o, err := upTo(n.spec.Stages, at, n.Clusters, n.opened())
	if err != nil {
		n.stuck(v1alpha1.ReasonStageEmpty, err.Error())
		return false
	}
	o.dispatch(n.Status.Dispatch)
	n.withFirst()
	waits := n.clusters(o)
	name := n.spec.Stages[at].Name
	if replicas(n.Clusters) == 0 {
		// Scaled to nothing, every stage would be done at once, and the revision stable that nobody saw run.
		n.stuck(v1alpha1.ReasonStageEmpty, "the application runs nowhere: stages go on when it does")
		return false
	}
	if empty(n.spec.Stages[at], n.Clusters) {
		n.stuck(v1alpha1.ReasonStageEmpty, fmt.Sprintf("stage %s selects no cluster the application is in: correct spec.stages, or promote",
			name))
		return false
	}
	if message := n.failedCheck(at); message != "" {
		n.fail(at, v1alpha1.ReasonCheckFailed, message)
		return false
	}
	if len(waits) == 0 && !slices.ContainsFunc(n.Clusters, func(c Cluster) bool { return c.Unreachable == "" && c.Replicas > 0 }) {
		// Skipped all, every stage would be done at once, and the revision stable that nobody saw run.
		waits = []wait{{reason: v1alpha1.ReasonClusterUnreachable, message: "no cluster answers, and a stage is not done without all"}}
	}
	if len(waits) == 0 {
		waits = n.queried(at)
	}
	if len(waits) > 0 {
		n.updating(at, waits)
		return false
	}
	if n.Status.DoneTime == nil {
		now := metav1.NewTime(n.Now)
		n.Status.DoneTime = &now
		n.event(false, v1alpha1.ReasonStageDone, "stage %s: everything that is open is updated and well", name)
	}
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	return n.soaked(at) && n.checked(at) && n.approved(at)
}

func empty(stage v1alpha1.Stage, clusters []Cluster) bool {
	if stage.Clusters == nil {
		return false
	}
	scope, err := selected(stage.Clusters, clusters)
	return err == nil && len(scope) == 0
}

// updating: the stage is not done; a deadline makes it a failure. It runs anew from when the stage was last seen done: one pod that is away
// for a moment in a long soak fails nothing. And it runs anew from when what says nothing about the revision was last in the way: members
// that were away, or got their Works late, have as long as any.
func (n *next) updating(at int, waits []wait) {
	stage := n.spec.Stages[at]
	if n.Status.DoneTime != nil || n.heldUp() && slices.ContainsFunc(waits, blames) {
		now := metav1.NewTime(n.Now)
		n.Status.StageTime, n.Status.DoneTime = &now, nil
	}
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.After = lookAgain
	allowed := time.Duration(n.spec.ProgressDeadlineSeconds) * time.Second
	if n.Status.StageTime == nil || n.Now.Sub(n.Status.StageTime.Time) < allowed {
		reason := v1alpha1.ReasonUpdating
		if waits[0].cluster == "" {
			reason = waits[0].reason
		}
		n.condition(v1alpha1.ConditionProgressing, metav1.ConditionTrue, reason, "stage "+stage.Name+": "+said(waits))
		n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
		return
	}
	message := fmt.Sprintf("stage %s is not done after %s: %s", stage.Name, allowed, said(waits))
	// What cannot be asked, or is kept from dispatching, says nothing about the revision.
	if !slices.ContainsFunc(waits, blames) {
		n.stalled(waits[0].reason, message)
		return
	}
	n.fail(at, v1alpha1.ReasonDeadlineExceeded, message)
}

// blamed are the reasons to wait that say something about the revision.
var blamed = []string{v1alpha1.ReasonUpdating, v1alpha1.ReasonGateUnwell}

func blames(w wait) bool { return slices.Contains(blamed, w.reason) }

// heldUp says whether the stage was late, when it was last looked at, for what says nothing about the revision.
func (n *next) heldUp() bool {
	late := meta.FindStatusCondition(n.before.Conditions, v1alpha1.ConditionStalled)
	return late != nil && late.Status == metav1.ConditionTrue && slices.Contains(blameless, late.Reason)
}

// blameless are the reasons to be late that say nothing about the revision.
var blameless = []string{
	v1alpha1.ReasonWorkNotWritten, v1alpha1.ReasonHealthUnknown, v1alpha1.ReasonClusterUnreachable, v1alpha1.ReasonWorkSuspended,
	v1alpha1.ReasonGateUnanswered,
}

// fail the stage for what its revision is.
func (n *next) fail(at int, reason, message string) {
	n.stuck(reason, message)
	if n.spec.OnFailure != v1alpha1.OnFailureRollback {
		return
	}
	n.Status.Failure = &v1alpha1.Failure{
		Revision: n.Template.Revision, Stage: n.spec.Stages[at].Name, Attempt: max(n.spec.Attempt, 1), Time: metav1.NewTime(n.Now),
		Message: text.Cut(message, mostOfMessage),
	}
	n.Status.Dispatch.Rejected = n.rejected()
	reject(n)
}

// stuck: the stage cannot go on by anybody's approval.
func (n *next) stuck(reason, message string) {
	n.stalled(reason, message)
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
}

func (n *next) stalled(reason, message string) {
	n.After = lookAgain
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, message)
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, reason, message)
}

// wait is what a cluster is not done for; without a cluster, what the stage as a whole is not.
type wait struct{ cluster, reason, message string }

func said(waits []wait) string {
	var out []string
	for _, w := range waits {
		out = append(out, strings.TrimSpace(w.cluster+" "+w.message))
	}
	return strings.Join(out, "; ")
}
