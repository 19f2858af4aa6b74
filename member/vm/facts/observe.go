package facts

import (
	"errors"
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

const (
	// GoneReads in a row without an answer of another kind, and GoneAfter the first, make a machine that is not found Gone: one wrong
	// answer of its system replaces nobody.
	GoneReads = 3
	GoneAfter = 60 * time.Second
	// Heartbeat is how often an unchanged reading is written at most; of many Servers each is more rarely (Reading.Beat, Hearing.Beat).
	Heartbeat = 300 * time.Second
)

// Missing is since when a machine was not found, and how often; zero: it was found.
type Missing struct {
	Since time.Time
	Reads int
}

// Long says that it was not found for long enough to be believed.
func (m Missing) Long(now time.Time) bool {
	return m.Reads >= GoneReads && now.Sub(m.Since) >= GoneAfter
}

// Reading is one look at a machine through its driver.
type Reading struct {
	Machine machine.Machine
	// Err is the driver's; anything but machine.ErrGone is no knowledge.
	Err error
	// ListIsEmpty says that the driver names no machine at all where there should be others: what it does not find then, it may have lost.
	ListIsEmpty bool
	// Beat is how often an unchanged reading is written, if that is more than Heartbeat.
	Beat time.Duration
}

// Write the reading into the facts of a status.
func (r Reading) Write(status *v1alpha1.ServerStatus, generation int64, before Missing, now time.Time) Missing {
	switch {
	case r.Err == nil:
		r.found(status, generation, now)
		return Missing{}
	case errors.Is(r.Err, machine.ErrGone):
		return r.missing(status, generation, before, now)
	}
	// What was missing before is neither found nor missed once more.
	if !made(status) || status.Machine != nil && status.Machine.State == v1alpha1.MachineGone {
		return before // it is being made, or is gone: that the driver does not answer changes neither
	}
	r.put(status, v1alpha1.MachineUnknown, now)
	unanswered(status, generation, now, "the driver did not say: "+r.Err.Error())
	return before
}

// made says whether the machine was ever seen.
func made(status *v1alpha1.ServerStatus) bool {
	return status.Creation != nil && status.Creation.State == v1alpha1.CreationDone
}

// beingMade says that the machine may well be on its way: it was never seen, or what makes it is not done.
func beingMade(status *v1alpha1.ServerStatus) bool {
	op := status.Operation
	return !made(status) || op == nil || op.Kind == v1alpha1.OperationProvision && !Done(status.Tasks)
}

func (r Reading) found(status *v1alpha1.ServerStatus, generation int64, now time.Time) {
	m, stopped := r.Machine, "the driver says that the machine does not run"
	if m.State == v1alpha1.MachineCreating && !beingMade(status) {
		// Who was made serves no more while its system makes it anew, whatever that calls it: it must out of its pools.
		m.State, stopped = v1alpha1.MachineStopped, "the driver says that the machine, which was there, is being made"
	}
	r.put(status, m.State, now)
	if status.Creation != nil && status.Creation.State != v1alpha1.CreationDone {
		status.Creation.State, status.Creation.At = v1alpha1.CreationDone, &metav1.Time{Time: now}
	}
	identify(status, m)
	switch m.State {
	case v1alpha1.MachineRunning:
		// Whether it answers is another matter (Hearing).
	case v1alpha1.MachineStopped:
		reachable(status, generation, now, metav1.ConditionFalse, v1alpha1.ReasonMachineStopped, stopped)
	case v1alpha1.MachineCreating:
		reachable(status, generation, now, metav1.ConditionUnknown, v1alpha1.ReasonMachineBooting, "the machine is being made")
	default:
		unanswered(status, generation, now, "the driver itself does not know")
	}
}

// identify the machine: its boot, its keys, and where it is.
func identify(status *v1alpha1.ServerStatus, m machine.Machine) {
	old := status.Machine.BootID
	booted := old != "" && m.BootID != "" && old != m.BootID
	if booted {
		status.EnvironmentHash = "" // what is installed is not known since a boot
	}
	if m.BootID != "" {
		status.Machine.BootID = m.BootID
	}
	status.Machine.HostKeys = m.HostKeys
	// That a driver names no address for a moment changes none: a lease that is not told of is no other machine.
	if runs := m.State == v1alpha1.MachineRunning || m.State == v1alpha1.MachineUnknown; len(m.Addresses) > 0 || booted || !runs {
		status.Addresses = m.Addresses
	}
}

func (r Reading) missing(status *v1alpha1.ServerStatus, generation int64, before Missing, now time.Time) Missing {
	if !made(status) {
		r.put(status, v1alpha1.MachineAbsent, now)
		return Missing{}
	}
	out := Missing{Since: before.Since, Reads: before.Reads + 1}
	if before.Reads == 0 {
		out.Since = now
	}
	switch {
	case status.Machine != nil && status.Machine.State == v1alpha1.MachineGone, out.Long(now) && !r.ListIsEmpty:
		r.put(status, v1alpha1.MachineGone, now)
		reachable(status, generation, now, metav1.ConditionFalse, v1alpha1.ReasonMachineGone, "the driver has surely no such machine any more")
	default:
		r.put(status, v1alpha1.MachineUnknown, now)
		message := "the driver does not find the machine"
		if r.ListIsEmpty {
			message += ", nor any other: it is not believed"
		}
		reachable(status, generation, now, metav1.ConditionUnknown, v1alpha1.ReasonMachineNotFound, message)
	}
	return out
}

// put the state. An unchanged one is dated anew now and then.
func (r Reading) put(status *v1alpha1.ServerStatus, state v1alpha1.MachineState, now time.Time) {
	if status.Machine == nil {
		status.Machine = &v1alpha1.MachineStatus{}
	}
	m := status.Machine
	if m.State != state || m.ObservedAt == nil || now.Sub(m.ObservedAt.Time) >= max(r.Beat, Heartbeat) {
		m.State, m.ObservedAt = state, &metav1.Time{Time: now}
	}
}

// unanswered says that the driver does not say; who was heard of is not lost for it (Hearing).
func unanswered(status *v1alpha1.ServerStatus, generation int64, now time.Time, message string) {
	was := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReachable)
	if was != nil && was.Status == metav1.ConditionTrue {
		return
	}
	reachable(status, generation, now, metav1.ConditionUnknown, v1alpha1.ReasonDriverUnanswered, message)
}

func reachable(status *v1alpha1.ServerStatus, generation int64, now time.Time, is metav1.ConditionStatus, reason, message string) {
	status.Conditions = slices.Clone(status.Conditions)
	apimeta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReachable, Status: is, Reason: reason, Message: Cut(message), ObservedGeneration: generation,
		LastTransitionTime: metav1.NewTime(now),
	})
}
