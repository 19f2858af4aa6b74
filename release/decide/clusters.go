package decide

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// clusters writes the status of each, and answers with those that are open and not done.
func (n *next) clusters(o opening) []wait {
	n.Status.Clusters = nil
	var waits []wait
	for _, c := range n.Clusters {
		one := v1alpha1.ClusterStatus{Name: c.Name, State: v1alpha1.ClusterHeld, Replicas: int32(c.Replicas), Updated: -1, Ready: -1}
		switch {
		case o.whole[c.Name]:
			one.State, one.Wanted = v1alpha1.ClusterOpen, one.Replicas
		case o.parts[c.Name] > 0:
			one.State, one.Wanted = v1alpha1.ClusterPart, int32(o.parts[c.Name])
		}
		if c.Work != nil {
			one.Revision = c.Work.Revision
			if c.Work.Observed && c.Unreachable == "" {
				one.Updated, one.Ready = n.updated(c.Work), int32(c.Work.Ready)
			}
		}
		if o.isOpen(c.Name) {
			if w := n.waits(c, o); w != nil {
				one.Message = w.message
				waits = append(waits, *w)
			}
		}
		n.Status.Clusters = append(n.Status.Clusters, one)
	}
	return waits
}

// updated is how many replicas a member reported of the template's revision; -1 where that cannot be told. What a member calls updated is
// of the revision its Work bears. Of another one it tells no more than that all its replicas are of it: while some are not, they may still
// be of the template's, where a cluster goes back to that or leaves it.
func (n *next) updated(w *Work) int32 {
	switch d := n.Status.Dispatch; {
	case w.Revision == n.Template.Revision:
		return int32(w.Updated)
	case w.Share == nil && w.Updated >= w.Desired, d == nil:
		return 0
	case n.Template.Revision == d.Stable, slices.Contains(d.Rejected, n.Template.Revision):
		return -1
	}
	return 0
}

// waits says what an open cluster is not done for; nil when it is.
func (n *next) waits(c Cluster, o opening) *wait {
	want, share := c.Replicas, int64(-1)
	if !o.whole[c.Name] {
		want, share = o.parts[c.Name], o.parts[c.Name]
	}
	reason, message := n.written(c, share)
	if reason == "" && c.Unreachable == "" {
		reason, message = running(c.Work, want)
	}
	if reason == "" {
		return nil
	}
	return &wait{cluster: c.Name, reason: reason, message: message}
}

// written: whether the cluster answers, and has the Work it is to have; a share below zero is all of it.
func (n *next) written(c Cluster, share int64) (reason, message string) {
	reason, lacks := c.lacking(n.Template.Revision)
	switch {
	case c.Unreachable != "" && n.spec.Unreachable == v1alpha1.UnreachableSkip:
		return "", ""
	case c.Unreachable != "":
		return v1alpha1.ReasonClusterUnreachable, "does not answer: " + c.Unreachable
	case lacks != "":
		return reason, lacks
	case c.Work == nil:
		return v1alpha1.ReasonWorkNotWritten, "has no Work yet"
	}
	return n.given(c.Work, share)
}

// given: whether a Work is what it is to be, and the member takes it.
func (n *next) given(w *Work, share int64) (reason, message string) {
	switch {
	case w.Suspended:
		return v1alpha1.ReasonWorkSuspended, "is suspended: nothing is dispatched to it"
	case w.Refused != "":
		return v1alpha1.ReasonUpdating, "refuses it: " + w.Refused
	case w.Unanswered != "":
		return v1alpha1.ReasonUpdating, "did not answer Karmada's write, which is tried again: " + w.Unanswered
	case w.Revision != n.Template.Revision && share >= 0 && !w.Ran:
		return v1alpha1.ReasonWorkNotWritten, "has revision " + orNone(w.Revision) + " first, which it has not reported on yet: " +
			"a new object has no older replicas to keep beside a number of new ones"
	case w.Revision != n.Template.Revision:
		return v1alpha1.ReasonWorkNotWritten, "has revision " + orNone(w.Revision) + " in its Work"
	case share >= 0 && (w.Share == nil || *w.Share != share), share < 0 && w.Share != nil:
		return v1alpha1.ReasonWorkNotWritten, "has another number of replicas open in its Work"
	}
	return "", ""
}

// running: whether the member reported on the Work as it is, that as many as wanted are updated, and all are well.
func running(w *Work, want int64) (reason, message string) {
	switch {
	case w.Untold:
		return v1alpha1.ReasonHealthUnknown, "has not said of which revision its replicas are: is argosy-webhook away?"
	case !w.Observed:
		return v1alpha1.ReasonUpdating, "has not reported on it yet"
	case w.Updated < min(want, w.Desired):
		return v1alpha1.ReasonUpdating, fmt.Sprintf("has %d of %d replicas updated", w.Updated, want)
	case w.Ready < w.Desired:
		return v1alpha1.ReasonUpdating, fmt.Sprintf("has %d of %d replicas ready", w.Ready, w.Desired)
	case w.Old > 0:
		return v1alpha1.ReasonUpdating, fmt.Sprintf("still has old replicas beside the updated ones: %d", w.Old)
	case w.Unjudged:
		return v1alpha1.ReasonHealthUnknown, "is all ready, and nobody told Karmada whether it is healthy: is argosy-webhook away?"
	case !w.Healthy:
		return v1alpha1.ReasonUpdating, "is not healthy"
	}
	return "", ""
}

// askAgain is how long Works may not be what they are to be, until Karmada is asked to write them again. It does so at an event of the
// binding, and there may be none: a new object gets the stable revision first, and a refusal is tried again ever more rarely.
const askAgain = 20 * time.Second

// askSeldom is the longest between two questions: each has Karmada write every open cluster, and what is not so after many is not so for
// another reason. While argosy-webhook is away none gets through, and the one that is left then is written once it is back.
const askSeldom = 10 * time.Minute

// ask Karmada for Works that are not what they are to be: first after askAgain, and then each time after as long as it was in vain.
func (n *next) ask() {
	d := n.Status.Dispatch
	if d == nil || n.Template == nil || n.Unfit != "" || !slices.ContainsFunc(n.Clusters, n.lags) {
		n.Status.WaitingTime, n.Status.AskedTime = nil, nil
		return
	}
	now := metav1.NewTime(n.Now)
	if n.Status.WaitingTime == nil {
		n.Status.WaitingTime = &now
	}
	last, wait := n.Status.WaitingTime.Time, askAgain
	if asked := n.Status.AskedTime; asked != nil {
		wait = min(max(askAgain, asked.Sub(last)), askSeldom)
		last = asked.Time
	}
	if n.Now.Sub(last) >= wait {
		d.Asked++
		n.Status.AskedTime = &now
	}
	n.After = lookAgain
}

// lags says whether a cluster's Work is not what it is to be, though nothing is in its way.
func (n *next) lags(c Cluster) bool {
	if c.Unreachable != "" || c.Work != nil && c.Work.Suspended {
		return false
	}
	d := n.Status.Dispatch
	share, part := d.Updated[c.Name]
	switch {
	case c.Work == nil, c.withLags(d):
		return true
	case part && c.Work.Revision != d.Revision:
		return c.Work.Ran // before that it is the member that is waited for
	case part:
		return c.Work.Share == nil || *c.Work.Share != int64(share) || c.Work.unheard()
	case isAll(d) || slices.Contains(d.Open, c.Name):
		// Karmada judges what a member reports, and not again: a write makes it report.
		return c.Work.Revision != d.Revision || c.Work.Share != nil || c.Work.unheard() || n.leavesBound(c.Work)
	}
	return c.Work.isTakenBack(d)
}

// isTakenBack says whether a held Work has what it is not to keep: no revision, a rejected one, or, while the template's is rejected, any
// but the stable one.
func (w *Work) isTakenBack(d *v1alpha1.Dispatch) bool {
	return w.Revision == "" || slices.Contains(d.Rejected, w.Revision) || slices.Contains(d.Rejected, d.Revision) && w.Revision != d.Stable
}

// leavesBound: a Release that is deleted waits for the marks of a Work.
func (n *next) leavesBound(w *Work) bool {
	return !n.Release.DeletionTimestamp.IsZero() && isAll(n.Status.Dispatch) && w.Bound
}

// unheard: what the member reports does not tell all that is asked.
func (w *Work) unheard() bool { return w.Unjudged || w.Untold }

func orNone(revision string) string {
	if revision == "" {
		return "none"
	}
	return revision
}

// summary is what the columns show.
func (n *next) summary() {
	s := &n.Status
	s.Revision, s.Held, s.StageText, s.UpdatedText, s.ReadyText = "", 0, "", "", ""
	if n.Template == nil {
		return
	}
	s.Revision = n.Template.Revision
	var updated, ready, all int64
	for _, c := range n.Clusters {
		all += c.Replicas
		if c.Work == nil || !c.Work.Observed || c.Unreachable != "" {
			continue
		}
		ready += c.Work.Ready
		updated += min(max(int64(n.updated(c.Work)), 0), c.Replicas)
	}
	for _, c := range s.Clusters {
		if c.State == v1alpha1.ClusterHeld {
			s.Held++
		}
	}
	s.UpdatedText, s.ReadyText = fmt.Sprintf("%d/%d", updated, all), fmt.Sprintf("%d/%d", ready, all)
	for i, stage := range n.spec.Stages {
		if stage.Name == s.Stage {
			s.StageText = fmt.Sprintf("%d/%d %s", i+1, len(n.spec.Stages), stage.Name)
		}
	}
}
