package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

// renew begins the release of a revision that is not the one dispatch is about.
func (n *next) renew() {
	d := n.Status.Dispatch
	if d.Revision == n.Template.Revision && (n.Status.Stage != "" || len(d.Open) > 0) {
		return
	}
	if d.Revision != n.Template.Revision {
		n.event(false, v1alpha1.ReasonNewRevision, "revision %s is held; clusters have %s", n.Template.Revision, d.Stable)
	}
	d.Revision, d.Open, d.Updated = n.Template.Revision, nil, nil
	n.begin("")
	n.Status.Clusters = nil // What clusters were given was of another revision.
	n.remember()
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
			n.paused(at)
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

func (n *next) paused(at int) {
	if at < 0 {
		n.clusters(nothing())
	}
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonPaused, "spec.mode is Pause: nothing further is opened")
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
}

// done opens a stage as the world is now, and says whether all gates to the next are open.
func (n *next) done(at int) bool {
	o, err := upTo(n.spec.Stages, at, n.Clusters, n.given())
	if err != nil {
		n.stalled(v1alpha1.ReasonStageEmpty, err.Error())
		return false
	}
	o.dispatch(n.Status.Dispatch)
	waits := n.clusters(o)
	name := n.spec.Stages[at].Name
	if replicas(n.Clusters) == 0 {
		// Scaled to nothing, every stage would be done at once, and the revision stable that nobody saw run.
		n.stalled(v1alpha1.ReasonStageEmpty, "the application runs nowhere: stages go on when it does")
		return false
	}
	if empty(n.spec.Stages[at], n.Clusters) {
		n.stalled(v1alpha1.ReasonStageEmpty, fmt.Sprintf("stage %s selects no cluster the application is in: correct spec.stages, or promote",
			name))
		return false
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
	return n.soaked(at) && n.approved(at)
}

func empty(stage v1alpha1.Stage, clusters []Cluster) bool {
	if stage.Clusters == nil {
		return false
	}
	scope, err := selected(stage.Clusters, clusters)
	return err == nil && len(scope) == 0
}

// given is what clusters have of the revision by number.
func (n *next) given() map[string]int64 {
	out := map[string]int64{}
	for name, count := range n.Status.Dispatch.Updated {
		out[name] = int64(count)
	}
	return out
}

// updating: the stage is not done; a deadline makes it a failure.
func (n *next) updating(at int, waits []wait) {
	stage := n.spec.Stages[at]
	n.Status.DoneTime = nil
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.After = lookAgain
	allowed := time.Duration(n.spec.ProgressDeadlineSeconds) * time.Second
	if n.Status.StageTime == nil || n.Now.Sub(n.Status.StageTime.Time) < allowed {
		n.condition(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonUpdating, "stage "+stage.Name+": "+said(waits))
		n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
		return
	}
	// A cluster that cannot be asked, or is kept from dispatching, says nothing about the revision.
	blame := slices.ContainsFunc(waits, func(w wait) bool { return w.reason == v1alpha1.ReasonUpdating })
	reason := waits[0].reason
	if blame {
		reason = v1alpha1.ReasonDeadlineExceeded
	}
	message := fmt.Sprintf("stage %s is not done after %s: %s", stage.Name, allowed, said(waits))
	n.stalled(reason, message)
	if blame && n.spec.OnFailure == v1alpha1.OnFailureRollback {
		n.Status.Failure = &v1alpha1.Failure{
			Revision: n.Template.Revision, Stage: stage.Name, Attempt: max(n.spec.Attempt, 1), Time: metav1.NewTime(n.Now),
			Message: text.Cut(message, mostOfMessage),
		}
		n.Status.Dispatch.Rejected = n.rejected()
		reject(n)
	}
}

func (n *next) stalled(reason, message string) {
	n.After = lookAgain
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, reason, message)
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, reason, message)
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
		n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonApproved, fmt.Sprintf("stage %s has %d approvals",
			stage.Name, len(people)))
		return true
	}
	message := fmt.Sprintf("stage %s has %d of %d approvals: argosyctl release approve %s", stage.Name, len(people), stage.Gates.Approvals,
		n.Release.Name)
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionTrue, v1alpha1.ReasonAwaitingApproval, message)
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonAwaitingApproval, message)
	n.After = lookAgain // that what is open stays well is looked at meanwhile
	return false
}

// wait is what a cluster is not done for.
type wait struct{ cluster, reason, message string }

func said(waits []wait) string {
	var out []string
	for _, w := range waits {
		out = append(out, w.cluster+" "+w.message)
	}
	return strings.Join(out, "; ")
}
