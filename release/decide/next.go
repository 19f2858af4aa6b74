package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	migrationv1alpha1 "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

// lookAgain is how soon a release that moves is looked at without an event.
const lookAgain = 5 * time.Second

// lookForAway is how soon a Release that opens nothing looks for clusters that may be away for days: one that is lost is in every Release,
// and each look lists Works.
const lookForAway = 30 * time.Second

// lasting are reasons to wait that end when people, or a network, come back.
var lasting = []string{v1alpha1.ReasonClusterUnreachable, v1alpha1.ReasonWorkSuspended}

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

// adopt takes what the template says as stable: no cluster changes. Nothing holds a change until the template bears its marks, so what is
// pushed before that has reached every cluster, and is the stable one.
func adopt(n *next) bool {
	if n.takeUp() {
		return false
	}
	d := n.Status.Dispatch
	unheld := !n.Template.Marked && d != nil && isAll(d) && d.Revision == d.Stable
	if d == nil || unheld && d.Stable != n.Template.Revision {
		n.stable()
	}
	if !n.Template.Marked {
		n.condition(v1alpha1.ConditionAdopted, metav1.ConditionFalse, v1alpha1.ReasonAdopting,
			"the template is being marked: changes are not held yet")
		n.After = time.Second
		return d == nil || unheld
	}
	if !meta.IsStatusConditionTrue(n.before.Conditions, v1alpha1.ConditionAdopted) {
		n.event(false, v1alpha1.ReasonAdopted, "revision %s is the stable one; changes are held from here on", n.Status.Dispatch.Stable)
	}
	n.condition(v1alpha1.ConditionAdopted, metav1.ConditionTrue, v1alpha1.ReasonAdopted, "changes are held until a stage opens them")
	return false
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

// stable makes the template's revision the one of every cluster.
func (n *next) stable() {
	rejected := n.rejected()
	n.Status.Dispatch = &v1alpha1.Dispatch{Revision: n.Template.Revision, Stable: n.Template.Revision, Open: []string{v1alpha1.OpenAll},
		Rejected: rejected, WithOpen: n.everywhere()}
	n.begin("")
	n.remember()
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

// historyLimit is how many revisions the status lists, and historyBytes what they may weigh.
const (
	historyLimit = 10
	historyBytes = 4 << 20
)

// remember the template's revision: it is recorded before it is opened anywhere.
func (n *next) remember() {
	n.Record = true
	size := n.Template.Bytes
	n.Status.History = slices.DeleteFunc(n.Status.History, func(r v1alpha1.Revision) bool {
		if r.Name != n.Template.Revision {
			return false
		}
		size = max(size, r.Bytes)
		return true
	})
	n.Status.History = append(n.Status.History, v1alpha1.Revision{Name: n.Template.Revision, Time: metav1.NewTime(n.Now),
		Images: n.Template.Images, Bytes: size})
	n.forget()
}

// forget the oldest revisions that are too many, or too much for the budget, but the stable and the newest: these can be gone back to
// always. What a cluster has stays recorded, listed or not.
func (n *next) forget() {
	all := int64(0)
	for _, one := range n.Status.History {
		all += one.Bytes
	}
	for i := 0; i < len(n.Status.History)-1 && (len(n.Status.History) > historyLimit || all > historyBytes); {
		if one := n.Status.History[i]; n.Status.Dispatch == nil || one.Name != n.Status.Dispatch.Stable {
			all -= one.Bytes
			n.Status.History = slices.Delete(n.Status.History, i, i+1)
			continue
		}
		i++
	}
}

// passes says that override policies changed which act at once, whatever is held: with spec.overrides: Pass whoever may write them changes
// what runs.
func (n *next) passes() {
	switch {
	case n.spec.Overrides == v1alpha1.OverridesHold:
		n.Status.Overrides = ""
		return
	case n.Overrides == nil || n.Status.Dispatch == nil:
		return
	}
	if was := n.before.Overrides; was != "" && was != n.Overrides.Hash {
		names := strings.Join(n.Overrides.Names, ", ")
		if names == "" {
			names = "none any more"
		}
		n.event(false, v1alpha1.ReasonOverridesPassed,
			"override policies of the application changed, and act at once in the clusters they are for (spec.overrides: Pass): %s", names)
	}
	n.Status.Overrides = n.Overrides.Hash
}

// rejected revisions: those people named, and the one that failed by itself until it is tried again; and any other that was rejected, as
// long as a cluster has it: its Release may be gone.
func (n *next) rejected() []string {
	out := slices.Clone(n.spec.Rejected)
	if d := n.Status.Dispatch; d != nil {
		for _, one := range d.Rejected {
			has := func(c Cluster) bool {
				return c.Work != nil && c.Work.Revision == one || slices.ContainsFunc(c.With, func(w With) bool { return w.has(one) })
			}
			if one != n.Template.Revision && !slices.Contains(out, one) && slices.ContainsFunc(n.Clusters, has) {
				out = append(out, one)
			}
		}
	}
	if f := n.Status.Failure; f != nil && max(n.spec.Attempt, 1) <= f.Attempt && !slices.Contains(out, f.Revision) {
		out = append(out, f.Revision)
	}
	// The stable revision is what everything goes back to.
	if d := n.Status.Dispatch; d != nil {
		out = slices.DeleteFunc(out, func(r string) bool { return r == d.Stable })
	}
	slices.Sort(out)
	return out
}

// back: the stable revision was rejected, and people named the one of the history that is to be the stable one instead. Where there is none
// of that name all goes on as it was, and is told at the end.
func back(n *next) bool {
	d, to := n.Status.Dispatch, n.spec.RollbackTo
	if to == "" || to == d.Stable || !slices.Contains(n.spec.Rejected, d.Stable) {
		return false
	}
	known := slices.ContainsFunc(n.Status.History, func(r v1alpha1.Revision) bool { return r.Name == to })
	if !known || slices.Contains(n.spec.Rejected, to) {
		n.unknown = fmt.Sprintf("spec.rollbackTo: revision %s is not in the history, or is rejected: clusters stay at %s; "+
			"%s lists those there are", to, d.Stable, n.command("history"))
		return false
	}
	n.event(true, v1alpha1.ReasonRejected, "revision %s is rejected: every cluster that has it goes back to %s", d.Stable, to)
	d.Stable = to
	return false
}

// settle: a template of the stable revision ends a release at once, and is opened everywhere.
func settle(n *next) bool {
	d := n.Status.Dispatch
	d.Rejected = n.rejected()
	if n.Template.Revision != d.Stable {
		return false
	}
	if d.Revision != d.Stable || !isAll(d) {
		n.stable()
		n.event(false, v1alpha1.ReasonComplete, "the template is at the stable revision %s again", d.Stable)
	}
	n.settled()
	return true
}

// settled says how far the clusters are with the stable revision.
func (n *next) settled() {
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionRolledBack, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	waits := n.clusters(everything(n.Clusters))
	if len(n.Clusters) == 0 {
		const message = "the application is in no cluster: nobody was seen with the template's revision"
		n.condition(v1alpha1.ConditionComplete, metav1.ConditionUnknown, v1alpha1.ReasonNowhere, message)
		n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonNowhere, message)
		return
	}
	if len(waits) == 0 {
		message := "every cluster has revision " + n.Template.Revision
		if skipped := n.skipped(); len(skipped) > 0 {
			message = fmt.Sprintf("every cluster that answers has revision %s; skipped: %s", n.Template.Revision, strings.Join(skipped, ", "))
		}
		n.condition(v1alpha1.ConditionComplete, metav1.ConditionTrue, v1alpha1.ReasonComplete, message)
		n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonComplete, message)
		return
	}
	n.After = lookAgain
	if !slices.ContainsFunc(waits, func(w wait) bool { return !slices.Contains(lasting, w.reason) }) {
		n.After = lookForAway
	}
	n.condition(v1alpha1.ConditionComplete, metav1.ConditionFalse, v1alpha1.ReasonUpdating, said(waits))
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonUpdating, said(waits))
}

// skipped are the clusters that nobody waits for, since they do not answer (spec.unreachable: Skip).
func (n *next) skipped() []string {
	var out []string
	for _, c := range n.Clusters {
		if c.Unreachable != "" {
			out = append(out, c.Name)
		}
	}
	return out
}

// reject: the revision is open nowhere, and clusters that had it go to the stable one. The template is not written: whoever keeps it in
// Git sees it as it is.
func reject(n *next) bool {
	d := n.Status.Dispatch
	if !slices.Contains(d.Rejected, n.Template.Revision) {
		return false
	}
	if d.Revision != n.Template.Revision || len(d.Open) > 0 || n.Status.Stage != "" {
		n.event(true, v1alpha1.ReasonRejected, "revision %s is rejected: every cluster goes back to %s", n.Template.Revision, d.Stable)
	}
	d.Revision, d.Open, d.Updated, d.WithOpen = n.Template.Revision, nil, nil, nil
	n.begin("")
	n.clusters(nothing())
	var away []string
	for _, c := range n.Clusters {
		if why := c.away(d.Stable); why != "" {
			away = append(away, c.Name+" "+why)
		}
	}
	n.condition(v1alpha1.ConditionComplete, metav1.ConditionFalse, v1alpha1.ReasonRejected, "revision "+n.Template.Revision+" is rejected")
	n.condition(v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionAwaitingApproval, metav1.ConditionFalse, v1alpha1.ReasonAsExpected, "")
	n.condition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonRejected,
		"revision "+n.Template.Revision+" is rejected; put the template back, write another, or try it again with "+n.command("retry"))
	if len(away) > 0 {
		n.After = lookAgain
		n.condition(v1alpha1.ConditionRolledBack, metav1.ConditionUnknown, v1alpha1.ReasonRejected, strings.Join(away, ", "))
		return true
	}
	n.condition(v1alpha1.ConditionRolledBack, metav1.ConditionTrue, v1alpha1.ReasonRolledBack,
		"no cluster has revision "+n.Template.Revision+": every one has "+d.Stable)
	return true
}

// away says why nobody knows yet that a cluster is back at the stable revision; empty when it is.
func (c Cluster) away(stable string) string {
	with := c.notBack(stable)
	switch {
	case c.Unreachable != "":
		return "does not answer"
	case c.Work == nil:
		return "has no Work: what it runs is not known"
	case c.Work.Suspended && (c.Work.Revision != stable || !c.Work.Observed || c.Work.goesBack()):
		return "is suspended: nothing is dispatched to it"
	case c.Work.Revision != stable:
		return "still has revision " + orNone(c.Work.Revision)
	case with != "":
		return with
	case !c.Work.Observed:
		return "has not reported yet"
	case c.Work.goesBack():
		return "may still have replicas of another revision"
	}
	return ""
}

// goesBack: not all replicas are of the revision the Work bears yet. A controller in a member has seen the Work long before its last pod is
// replaced, which may never be: the older revision finds no room, or nobody deletes a pod (OnDelete).
func (w *Work) goesBack() bool { return w.Updated < w.Desired || w.Old > 0 }

func isAll(d *v1alpha1.Dispatch) bool { return len(d.Open) == 1 && d.Open[0] == v1alpha1.OpenAll }

// condition is set, and said as an event when it turns to what people must know.
// command of argosyctl's about this Release, as it can be typed from anywhere.
func (n *next) command(verb string) string {
	return fmt.Sprintf("argosyctl release %s %s -n %s", verb, n.Release.Name, n.Release.Namespace)
}

func (n *next) condition(kind string, status metav1.ConditionStatus, reason, message string) {
	if message == "" {
		message = "nothing is wrong"
	}
	old := meta.FindStatusCondition(n.before.Conditions, kind)
	if old != nil && old.Reason == reason && slices.Contains(quoting, reason) {
		message = text.Keep(old.Message, message)
	}
	meta.SetStatusCondition(&n.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: text.Cut(message, mostOfMessage),
		ObservedGeneration: n.Release.Generation, LastTransitionTime: metav1.NewTime(n.Now),
	})
	if old != nil && old.Status == status {
		// What an earlier step said of it in this very look was no transition.
		meta.FindStatusCondition(n.Status.Conditions, kind).LastTransitionTime = old.LastTransitionTime
	}
	news := old == nil || old.Status != status || old.Reason != reason
	switch {
	case !news || status != metav1.ConditionTrue:
	case kind == v1alpha1.ConditionStalled:
		n.event(true, reason, "%s", message)
	case kind == v1alpha1.ConditionComplete, kind == v1alpha1.ConditionAwaitingApproval, kind == v1alpha1.ConditionRolledBack:
		n.event(false, reason, "%s", message)
	}
}

// quoting are the reasons whose messages have an error's text in them.
var quoting = []string{
	v1alpha1.ReasonUpdating, v1alpha1.ReasonGateUnwell, v1alpha1.ReasonGateUnanswered, v1alpha1.ReasonClusterUnreachable,
	v1alpha1.ReasonDeadlineExceeded,
}

// mostOfMessage keeps a condition with hundreds of clusters readable.
const mostOfMessage = 1024

func (n *next) event(warning bool, reason, format string, args ...any) {
	n.Events = append(n.Events, Event{Warning: warning, Reason: reason, Message: text.Cut(fmt.Sprintf(format, args...), mostOfMessage)})
}
