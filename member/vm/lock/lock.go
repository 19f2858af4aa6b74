package lock

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Observed is the lock as somebody saw it, and since when, by their own time, it has not changed.
type Observed struct {
	Lock  *v1alpha1.Lock
	Since time.Time
}

// See takes note of the lock as it is now.
func (o Observed) See(lock *v1alpha1.Lock, now time.Time) Observed {
	if same(o.Lock, lock) && !o.Since.IsZero() {
		return o
	}
	return Observed{Lock: lock.DeepCopy(), Since: now}
}

func same(a, b *v1alpha1.Lock) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Holder == b.Holder && a.OperationID == b.OperationID && a.Sequence == b.Sequence && a.RenewTime.Equal(&b.RenewTime) &&
		a.LeaseSeconds == b.LeaseSeconds
}

// Wish is who wants the lock, for what and for how long.
type Wish struct {
	Holder       string
	OperationID  string
	LeaseSeconds int32
	// Floor is the highest sequence the machine has admitted, where it is known: a lock that was lost with its object begins above it, or
	// the machine would refuse its own owner.
	Floor int64
}

// Release is the lock to write when the work is done: nobody's, but with its sequence, which the machine remembers.
func Release(held *v1alpha1.Lock, now time.Time) *v1alpha1.Lock {
	return &v1alpha1.Lock{
		OperationID: held.OperationID, Sequence: held.Sequence, LeaseSeconds: held.LeaseSeconds, RenewTime: metav1.NewMicroTime(now),
	}
}

// Verb is what to do.
type Verb string

const (
	// Take writes a free lock, or the next operation of its own holder.
	Take Verb = "Take"
	// TakeOver writes the lock of a holder that did not renew it.
	TakeOver Verb = "TakeOver"
	// Renew writes one's own lock again.
	Renew Verb = "Renew"
	// Work: the lock is one's own, and fresh.
	Work Verb = "Work"
	// Wait: another has it.
	Wait Verb = "Wait"
)

// Step is what to do, the lock to write with the resourceVersion it was seen at, and when to look again.
type Step struct {
	Verb Verb
	Lock *v1alpha1.Lock
	Wake time.Time
}

// Decide what to do about a lock that was just seen.
func Decide(seen Observed, wish Wish, now time.Time) Step {
	held := seen.Lock
	switch {
	case held == nil:
		return wish.write(Take, 1, now)
	case held.Holder == "":
		return wish.write(Take, held.Sequence+1, now)
	case held.Holder == wish.Holder && held.OperationID == wish.OperationID:
		// A third of the lease: two renewals may fail before somebody else takes over.
		if due := seen.Since.Add(lease(held) / 3); now.Before(due) {
			return Step{Verb: Work, Wake: due}
		}
		return wish.write(Renew, held.Sequence, now)
	case held.Holder == wish.Holder:
		return wish.write(Take, held.Sequence+1, now)
	}
	if free := seen.Since.Add(lease(held)); now.Before(free) {
		return Step{Verb: Wait, Wake: free}
	}
	return wish.write(TakeOver, held.Sequence+1, now)
}

func (w Wish) write(verb Verb, sequence int64, now time.Time) Step {
	if verb != Renew {
		sequence = max(sequence, w.Floor+1)
	}
	out := &v1alpha1.Lock{
		Holder: w.Holder, OperationID: w.OperationID, Sequence: sequence, LeaseSeconds: w.LeaseSeconds, RenewTime: metav1.NewMicroTime(now),
	}
	return Step{Verb: verb, Lock: out, Wake: now.Add(lease(out) / 3)}
}

func lease(lock *v1alpha1.Lock) time.Duration { return time.Duration(lock.LeaseSeconds) * time.Second }

// Fence is what the machine keeps: the highest sequence that worked on it. Work of a lower one is refused.
type Fence int64

// Admit work of a sequence.
func (f Fence) Admit(sequence int64) (Fence, bool) {
	if sequence < int64(f) {
		return f, false
	}
	return Fence(sequence), true
}
