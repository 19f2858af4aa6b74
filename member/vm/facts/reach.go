package facts

import (
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Answer is what was heard of a machine over its network.
type Answer string

// What was heard.
const (
	// NothingAsked: it has neither a way onto it nor a service that is probed.
	NothingAsked Answer = "NothingAsked"
	// NotHeardYet: it was not asked yet, or never answered since it was made.
	NotHeardYet Answer = "NotHeardYet"
	// Heard of it.
	Heard Answer = "Heard"
	// Silent: it answered before, and does not any more.
	Silent Answer = "Silent"
	// Distrusted: it does not answer, and neither do so many others that the fault is likely elsewhere.
	Distrusted Answer = "Distrusted"
)

// Hearing is an answer, and how it came.
type Hearing struct {
	Answer  Answer
	Message string
	// Beat is how often it is noted that an unchanged machine was heard of, if that is more than Heartbeat.
	Beat time.Duration
}

// Write Reachable, of what was heard and of what the driver said. The driver's word is enough for a machine that does not run; that one
// runs does not say that it can be reached.
func (h Hearing) Write(status *v1alpha1.ServerStatus, generation int64, now time.Time) {
	if !made(status) || status.Machine == nil {
		return
	}
	switch status.Machine.State {
	case v1alpha1.MachineRunning:
		h.running(status, generation, now)
	case v1alpha1.MachineUnknown:
		h.unanswered(status, generation, now)
	}
}

func (h Hearing) running(status *v1alpha1.ServerStatus, generation int64, now time.Time) {
	is, reason, message := metav1.ConditionUnknown, v1alpha1.ReasonNotProbedYet, "it runs, and did not answer yet"
	switch h.Answer {
	case NothingAsked:
		reason = v1alpha1.ReasonNothingToAsk
		message = "the driver says that it runs; there is neither machine.access nor a health check to ask it by"
		h.beat(status, now)
	case Heard:
		is, reason, message = metav1.ConditionTrue, v1alpha1.ReasonHeartbeatFresh, h.Message
		h.beat(status, now)
	case Silent:
		is, reason = metav1.ConditionFalse, v1alpha1.ReasonHeartbeatLost
		message = "the driver says that it runs, and it does not answer: " + h.Message
	case Distrusted:
		reason, message = v1alpha1.ReasonProberBlind, h.Message
	}
	h.write(status, generation, now, metav1.Condition{Status: is, Reason: reason, Message: message})
}

// unanswered is a machine of which the driver does not say how it is: whoever answers is there all the same. Who does not answer may be
// there too. One that the driver does not find is another matter: at its address there may be somebody else.
func (h Hearing) unanswered(status *v1alpha1.ServerStatus, generation int64, now time.Time) {
	was := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReachable)
	switch {
	case was != nil && was.Reason == v1alpha1.ReasonMachineNotFound:
	case h.Answer == Heard:
		h.beat(status, now)
		h.write(status, generation, now, metav1.Condition{
			Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonHeartbeatFresh, Message: h.Message + "; the driver does not say how it is",
		})
	case was == nil || was.Reason != v1alpha1.ReasonDriverUnanswered:
		h.write(status, generation, now, metav1.Condition{
			Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonDriverUnanswered, Message: "neither the driver nor the machine says how it is",
		})
	}
}

// write the condition, unless it says so already: the words of one that fails change all the time. By what one answers is told anew: "its
// health check passes" is not said of who answers and is sick.
func (h Hearing) write(status *v1alpha1.ServerStatus, generation int64, now time.Time, c metav1.Condition) {
	was := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReachable)
	if was != nil && was.Status == c.Status && was.Reason == c.Reason && was.ObservedGeneration == generation &&
		(c.Status != metav1.ConditionTrue || was.Message == c.Message) {
		return
	}
	reachable(status, generation, now, c.Status, c.Reason, c.Message)
}

// beat notes when it was last heard of, in one write with what its driver says where that is due too.
func (h Hearing) beat(status *v1alpha1.ServerStatus, now time.Time) {
	last, asked, often := status.LastHeartbeatTime, status.Machine.ObservedAt, max(h.Beat, Heartbeat)
	switch {
	case last == nil, asked != nil && asked.Time.Equal(now):
	case now.Sub(last.Time) < often:
		return
	case asked != nil && now.Sub(asked.Time) >= often && now.Sub(last.Time) < 2*often:
		return // the driver is about to be asked
	}
	status.LastHeartbeatTime = &metav1.Time{Time: now}
}
