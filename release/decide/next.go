package decide

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// lookAgain is how soon a release that moves is looked at without an event.
const lookAgain = 5 * time.Second

// lookForAway is how soon a Release that opens nothing looks for clusters that may be away for days: one that is lost is in every Release,
// and each look lists Works.
const lookForAway = 30 * time.Second

// next is a decision in the making.
type next struct {
	World
	Decision
	spec *v1alpha1.ReleaseSpec
	// before is the status as it was.
	before *v1alpha1.ReleaseStatus
	// unknown says why spec.rollbackTo cannot be gone back to; empty when it can, or need not.
	unknown string
}

// Next says what a Release does.
func Next(w World) Decision {
	n := &next{World: w, spec: &w.Release.Spec, before: &w.Release.Status}
	n.Status = *w.Release.Status.DeepCopy()
	n.Status.ObservedGeneration = w.Release.Generation
	n.past()
	// The first that applies decides; their order is the order of what has a say.
	for _, step := range []func(*next) bool{leave, missing, unfit, lost, adopt, follow, back, settle, reject, promote, stage} {
		if step(n) {
			break
		}
	}
	if !n.Release.DeletionTimestamp.IsZero() && !n.Free {
		n.leaving()
	}
	if n.unknown != "" {
		n.stalled(v1alpha1.ReasonRevisionUnknown, n.unknown)
	}
	n.passes()
	n.ask()
	n.whole()
	n.summary()
	return n.Decision
}

// past: a leader whose clock was ahead wrote times that are to come. Until then no soak would end, no stage be late and Karmada be asked
// for nothing: they count from now.
func (n *next) past() {
	for _, at := range []*metav1.Time{n.Status.StageTime, n.Status.DoneTime, n.Status.WaitingTime, n.Status.AskedTime} {
		if at != nil && at.After(n.Now) {
			*at = metav1.NewTime(n.Now)
		}
	}
}

// whole says what the revision of dispatch is made of, beside its name.
func (n *next) whole() {
	d := n.Status.Dispatch
	if d == nil {
		return
	}
	d.Overrides = ""
	if n.spec.Overrides == v1alpha1.OverridesHold {
		d.Overrides = v1alpha1.OverridesHold
	}
	if n.Template != nil && n.Template.Revision == d.Revision {
		d.Contents = n.Template.Contents
	}
}

func missing(n *next) bool {
	if n.Template != nil {
		return false
	}
	n.condition(v1alpha1.ConditionAdopted, metav1.ConditionFalse, v1alpha1.ReasonTemplateMissing, "the target does not exist: nothing is held")
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonTemplateMissing, "the target does not exist")
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.unseen(v1alpha1.ReasonTemplateMissing, "the target does not exist")
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	return true
}

// unfit: what is held stays so, and nothing further is opened.
func unfit(n *next) bool {
	if n.Unfit == "" {
		return false
	}
	status := metav1.ConditionFalse
	if n.Status.Dispatch != nil {
		status = metav1.ConditionTrue
	}
	n.condition(v1alpha1.ConditionAdopted, status, n.UnfitReason, n.Unfit)
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, n.UnfitReason, n.Unfit)
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.unseen(n.UnfitReason, n.Unfit)
	n.After = time.Minute // what is in the way may go without an event: another Release of the target
	return true
}

// unseen: what clusters have is not looked at. That every one had the template's revision was of the template as it was.
func (n *next) unseen(reason, message string) {
	if meta.IsStatusConditionTrue(n.before.Conditions, v1alpha1.ConditionComplete) {
		n.condition(v1alpha1.ConditionComplete, metav1.ConditionUnknown, reason, message)
	}
}

// follow a migration: what it writes into the template is what the members have. A cut-off application is not released: what was open stays
// so, and what is pushed meanwhile is held.
func follow(n *next) bool {
	if n.Migrating == "" {
		return false
	}
	n.After = lookAgain
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	if slices.Contains(cutOff, n.Migrating) {
		n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonMigrating,
			"a Migration of the application is "+n.Migrating+": nothing is opened until it is taken over again")
		n.unseen(v1alpha1.ReasonMigrating, "a Migration of the application is "+n.Migrating)
		n.clusters(n.opened())
		return true
	}
	if n.Status.Dispatch.Stable != n.Template.Revision {
		n.stable()
	}
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonMigrating,
		"a Migration of the application is "+n.Migrating+": its changes are taken as stable")
	n.clusters(everything(n.Clusters))
	return true
}

// cutOff are the phases of a migration in which the federation has let go of an application, or is about to.
var cutOff = []string{
	string(migrationv1alpha1.PhaseCuttingOff), string(migrationv1alpha1.PhaseCutOff), string(migrationv1alpha1.PhaseLeaving),
}

// opened is what dispatch opened for the template's revision.
func (n *next) opened() opening {
	d, o := n.Status.Dispatch, nothing()
	switch {
	case d.Revision != n.Template.Revision:
		return o
	case isAll(d):
		return everything(n.Clusters)
	}
	for _, name := range d.Open {
		if share, part := d.Updated[name]; part {
			o.parts[name] = int64(share)
		} else {
			o.whole[name] = true
		}
	}
	return o
}

// begin a stage, or none. None after none is no beginning: what was waited for is waited for still.
func (n *next) begin(name string) {
	if name == "" && n.Status.Stage == "" {
		return
	}
	n.Status.Stage, n.Status.StageTime, n.Status.DoneTime = name, nil, nil
	n.Status.WaitingTime, n.Status.AskedTime = nil, nil // what was asked for in vain is not what is asked for now
	if name != "" {
		at := metav1.NewTime(n.Now)
		n.Status.StageTime = &at
	}
}

func isAll(d *v1alpha1.Dispatch) bool { return len(d.Open) == 1 && d.Open[0] == v1alpha1.OpenAll }
