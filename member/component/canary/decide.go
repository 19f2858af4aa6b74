package canary

import (
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
)

// Input is what is known of a change under way.
type Input struct {
	// Object is the Component's UID in this cluster: an operation of one cluster is never one of another.
	Object types.UID
	// Change names the pods that are asked for; another change begins anew.
	Change string
	Steps  []v1alpha1.CanaryStep
	// Total is how many copies are asked for.
	Total int32
	// Before is how far it was; nil: not begun.
	Before *v1alpha1.CanaryStatus
	// Canaries is how many there were of the Component, the one of Before among them.
	Canaries int64
	// Asked is how many copies of the change the cluster is asked for now, and Serve is true when all of those serve.
	Asked int32
	Serve bool
	// Approvals that people gave.
	Approvals []gatev1alpha1.Approval
	Now       time.Time
}

// Plan is what is next.
type Plan struct {
	Status v1alpha1.CanaryStatus
	// Replicas of the change.
	Replicas int32
	// Done is set when all steps are: the other copies follow.
	Done bool
	// Pending is what a person is asked; nil where nobody is.
	Pending *gatev1alpha1.PendingApproval
	// Message says what it waits for.
	Message string
	// Again is when to look anew though nothing happens; 0: no need.
	Again time.Duration
}

// Decide says how many copies are to be of the change.
func Decide(in Input) Plan {
	status := v1alpha1.CanaryStatus{Change: in.Change, Step: 1, State: v1alpha1.CanaryProgressing}
	known := in.Before != nil && in.Before.Change == in.Change
	if known {
		status = *in.Before.DeepCopy()
	}
	// Somebody may have shortened the list meanwhile.
	status.Step = max(1, status.Step)
	// A step that was asked for already was begun, though whoever asked was killed before it could say so.
	for known && int(status.Step) < len(in.Steps) && in.Asked > in.upTo(int(status.Step)) && in.Asked >= in.upTo(int(status.Step)+1) {
		status.Step, status.Since = status.Step+1, nil
	}
	for {
		if int(status.Step) > len(in.Steps) || status.State == v1alpha1.CanaryCompleted {
			status.Step, status.State, status.Since = int32(len(in.Steps)), v1alpha1.CanaryCompleted, nil
			return Plan{Status: status, Replicas: in.Total, Done: true, Message: "All steps are done: the other copies follow."}
		}
		step := in.Steps[status.Step-1]
		plan := Plan{Status: status, Replicas: in.upTo(int(status.Step))}
		starting, serving := in.words(status.Step, plan.Replicas)
		if in.Asked != plan.Replicas || !in.Serve {
			plan.Status.State, plan.Status.Since = v1alpha1.CanaryProgressing, nil
			plan.Message = starting
			return plan
		}
		if status.Since == nil || status.Since.After(in.Now) {
			now := metav1.NewTime(in.Now.Truncate(time.Second))
			status.Since = &now
		}
		plan.Status.Since, plan.Status.State = status.Since, v1alpha1.CanaryPaused
		if in.opened(step, serving, &plan) {
			status.Step, status.Since = status.Step+1, nil
			continue
		}
		return plan
	}
}

// words for a step of which copies are starting, and for one whose copies serve. A change that is divided over clusters may have none in
// this one.
func (in Input) words(step, replicas int32) (starting, serving string) {
	of := fmt.Sprintf("Canary step %d of %d: ", step, len(in.Steps))
	if replicas == 0 {
		none := of + fmt.Sprintf("none of the %d copies in this cluster is to be new", in.Total)
		return none + "; those there are go.", none
	}
	some := of + fmt.Sprintf("%d of %d copies are to be new", replicas, in.Total)
	return some + "; they are starting.", some + " and serve"
}

// opened is true when the pause after a step is over.
func (in Input) opened(step v1alpha1.CanaryStep, serving string, plan *Plan) bool {
	since := plan.Status.Since
	if step.Pause == v1alpha1.CanaryPauseSeconds {
		left := since.Add(time.Duration(ptr.Deref(step.PauseSeconds, 0)) * time.Second).Sub(in.Now)
		if left <= 0 {
			return true
		}
		plan.Again = left
		plan.Message = fmt.Sprintf("%s; it goes on at %s.", serving, since.Add(
			time.Duration(ptr.Deref(step.PauseSeconds, 0))*time.Second).UTC().Format(time.RFC3339))
		return false
	}
	operation := gate.OperationID(in.Object, in.name(), int64(plan.Status.Step))
	switch verdict, by := gate.Judge(in.Approvals, gatev1alpha1.GateCanary, operation); verdict {
	case gate.Opened:
		return true
	case gate.Rejected:
		plan.Message = fmt.Sprintf("%s; %s rejected the next step: %s. Write the image of before to undo the change.",
			serving, by.By, by.Reason)
		return false
	}
	plan.Pending = &gatev1alpha1.PendingApproval{
		Gate: gatev1alpha1.GateCanary, OperationID: operation, Since: since,
		Summary: serving + ". Approving goes on to the next step; to undo the change, write the image of before.",
	}
	plan.Message = fmt.Sprintf("%s; it waits for an approval of operation %s at gate %s in spec.approvals.",
		serving, operation, gatev1alpha1.GateCanary)
	return false
}

// name of the canary, for approvals: what was approved of a change is not when it comes once more.
func (in Input) name() string {
	n := in.Canaries
	if in.Before == nil || in.Before.Change != in.Change {
		n++
	}
	if n == 0 { // what began before they were counted keeps its name
		return "canary " + in.Change
	}
	return "canary " + in.Change + "/" + strconv.FormatInt(n, 10)
}

// upTo is how many copies are new after a step: never fewer than after one before it.
func (in Input) upTo(step int) int32 {
	most := int32(0)
	for _, s := range in.Steps[:step] {
		n, err := intstr.GetScaledValueFromIntOrPercent(&s.Replicas, int(in.Total), true)
		if err != nil {
			// The kind's schema lets no other text through.
			n = 0
		}
		most = max(most, int32(min(n, int(in.Total))))
	}
	return most
}
