package plan

import (
	"time"

	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

func (j *journey) left() outcome {
	why := "on no whitelist"
	if j.Spec.Rollback != nil {
		why = j.rolledBack()
	}
	j.enter(v1alpha1.PhaseLeft, v1alpha1.ReasonLeft, why+", and nothing of it is in the control plane")
	j.unprotectHome()
	j.wait(v1alpha1.ReasonLeft, why, resting)
	j.expire()
	return stop
}

// rolledBack says that a person rolled it back, and why.
func (j *journey) rolledBack() string {
	if reason := j.Spec.Rollback.Reason; reason != "" {
		return "rolled back by hand (" + reason + ")"
	}
	return "rolled back by hand"
}

// defaultTTL of the record of an application that left: long enough to be asked about, and no longer than audit logs usually are kept.
const defaultTTL = 30 * 24 * time.Hour

// expire has the record of an application that left deleted once its time is over. One that a person rolled back stays: what the record
// says of that wins over lists, and a new record would not.
func (j *journey) expire() {
	if j.Spec.Rollback != nil || j.Entry != nil {
		return
	}
	ttl := defaultTTL
	if seconds := j.Spec.TTLSecondsAfterLeft; seconds != nil {
		ttl = time.Duration(ptr.Deref(seconds, 0)) * time.Second
	}
	since, known := j.leftSince()
	if !known {
		return
	}
	left := ttl - j.Now.Sub(since)
	if left > 0 {
		j.decision.Requeue = min(j.decision.Requeue, left)
		return
	}
	if len(j.decision.Actions) > 0 {
		j.decision.Requeue = soon // the namespace is let go of first
		return
	}
	j.act(Action{Verb: Delete, Ref: recordRef(j.Owner)})
}

// leftSince is when the application left, by its history.
func (j *journey) leftSince() (time.Time, bool) {
	for i := len(j.next.History) - 1; i >= 0; i-- {
		if entry := j.next.History[i]; entry.Phase == v1alpha1.PhaseLeft && entry.Reason == v1alpha1.ReasonLeft {
			return entry.Time.Time, true
		}
	}
	return time.Time{}, false
}

func recordRef(owner string) Ref {
	return Ref{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Migration", Name: owner}
}
