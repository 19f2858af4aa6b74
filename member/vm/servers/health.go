package servers

import (
	"fmt"
	"slices"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/probe"
)

// health writes down what the prober thinks of the server. Nobody is asked before there is code to ask.
func (r *Reconciler) health(w *work) {
	if r.prober == nil {
		return
	}
	opinion, asked := r.opinion(w)
	if !asked {
		r.prober.Forget(w.before.UID)
		w.after.Status.Conditions = slices.DeleteFunc(slices.Clone(w.after.Status.Conditions),
			func(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionHealthy })
		return
	}
	w.blind = opinion.Blind != ""
	switch {
	case opinion.Verdict == probe.Healthy:
		w.healthy(metav1.ConditionTrue, v1alpha1.ReasonHealthCheckPassed, "the health check passes")
	case opinion.Verdict == probe.Unhealthy && w.blind:
		w.healthy(metav1.ConditionFalse, v1alpha1.ReasonProberBlind, opinion.Message+"; nobody is taken out of service for it: "+opinion.Blind)
	case opinion.Verdict == probe.Unhealthy:
		w.healthy(metav1.ConditionFalse, v1alpha1.ReasonHealthCheckFailed, opinion.Message)
	default:
		w.healthy(metav1.ConditionUnknown, v1alpha1.ReasonNotProbedYet, "it is coming up, or was not asked yet")
	}
}

// healthy is the condition. Its message is that of the first moment: what a service answers changes all the time.
func (w *work) healthy(is metav1.ConditionStatus, reason, message string) {
	if was := apimeta.FindStatusCondition(w.after.Status.Conditions, v1alpha1.ConditionHealthy); was != nil &&
		was.Status == is && was.Reason == reason {
		return
	}
	setCondition(&w.after.Status, metav1.Condition{
		Type: v1alpha1.ConditionHealthy, Status: is, Reason: reason, Message: facts.Cut(message), ObservedGeneration: w.before.Generation,
		LastTransitionTime: metav1.NewTime(w.now),
	})
}

// opinion of the prober about the server as it is now; false: there is nothing to ask.
func (r *Reconciler) opinion(w *work) (probe.Opinion, bool) {
	target, asked := w.target()
	if !asked {
		return probe.Opinion{}, false
	}
	return r.prober.Watch(target), true
}

// target is what the prober asks, with what is known of it; false: there is nothing to ask.
func (w *work) target() (probe.Target, bool) {
	spec, status := &w.before.Spec, &w.after.Status
	address := facts.Address(status.Addresses)
	if spec.HealthCheck == nil || status.Release == nil || address == "" || w.before.DeletionTimestamp != nil {
		return probe.Target{}, false
	}
	target := probe.Target{
		UID: w.before.UID, Name: client.ObjectKeyFromObject(w.before), Set: client.ObjectKeyFromObject(w.before),
		Address: address, Check: spec.HealthCheck, Verdict: probe.NotKnown, Up: w.before.Status.Phase == v1alpha1.ServerReady,
		Epoch: fmt.Sprintf("%s %s %s %s", address, status.Release.Version, status.Release.Hash, checkEpoch(spec.HealthCheck)),
	}
	if status.Machine != nil {
		target.Epoch += " " + status.Machine.BootID
	}
	booted := w.booted()
	target.Up = target.Up && !booted
	if w.set != nil {
		target.Set.Name, target.Allowed = w.set.Name, allowed(w.set)
	}
	switch was := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionHealthy); {
	case was == nil || booted:
	case was.Status == metav1.ConditionTrue:
		target.Verdict = probe.Healthy
	case was.Status == metav1.ConditionFalse:
		target.Verdict = probe.Unhealthy
	}
	return target, true
}

// booted says that the machine is not the one of the last look any more: what was known of its service is of before, and it has the time of
// a start to come up.
func (w *work) booted() bool {
	was, is := w.before.Status.Machine, w.after.Status.Machine
	return was != nil && is != nil && was.BootID != is.BootID
}

// checkEpoch is what is asked; how often, and how many answers count, may change in between.
func checkEpoch(check *v1alpha1.HealthCheck) string {
	switch {
	case check.HTTPGet != nil:
		return fmt.Sprintf("http %+v", *check.HTTPGet)
	case check.GRPC != nil:
		return fmt.Sprintf("grpc %+v", *check.GRPC)
	case check.TCPSocket != nil:
		return fmt.Sprintf("tcp %+v", *check.TCPSocket)
	}
	return ""
}

// allowed is how many servers of a set may be unhealthy at once.
func allowed(set *v1alpha1.VMReplicaSet) int {
	limit := set.Spec.Failover.MaxUnhealthy
	if limit == nil {
		return 0
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(limit, int(ptr.Deref(set.Spec.Replicas, 1)), false)
	if err != nil {
		return 0 // the schema admits numbers and percentages only
	}
	return n
}

// checkHealth waits until the service is well, and its alert queries were asked. A release whose service does not come up failed for good.
func (r *Reconciler) checkHealth(w *work, task *v1alpha1.Task) {
	checked := w.before.Spec.HealthCheck != nil
	if checked && r.prober == nil {
		facts.Watch(task, w.now, "nobody probes here")
		return
	}
	// A server that is out since it is unwell, or may be, waits to be well again, and nothing fails.
	waits := slices.Contains(
		[]string{v1alpha1.ReasonUnhealthy, v1alpha1.ReasonMonitoringAbnormal, v1alpha1.ReasonNotHealthyYet}, w.decided.Row)
	if !waits && task.State == v1alpha1.TaskPending {
		r.judgeAnew(w)
	}
	opinion, asked := r.opinion(w)
	switch {
	case asked && opinion.Verdict == probe.Healthy:
		w.heardOf(task, waits, "")
	case !checked:
		w.heardOf(task, waits, "no health check is asked for")
	case asked && opinion.Verdict == probe.Unhealthy && !waits:
		w.doesNotComeUp(task, opinion)
	default:
		facts.Watch(task, w.now, "waits for the health check")
	}
}

// doesNotComeUp fails the task, unless the fault is likely elsewhere.
func (w *work) doesNotComeUp(task *v1alpha1.Task, opinion probe.Opinion) {
	if opinion.Elsewhere != "" {
		facts.Watch(task, w.now, "it does not answer, and is not judged for it: "+opinion.Elsewhere)
		return
	}
	facts.End(task, v1alpha1.TaskFailed, w.now, "the service does not come up: "+opinion.Message)
}

// heardOf ends the task of a service that is well, once its alert queries were asked.
func (w *work) heardOf(task *v1alpha1.Task, waits bool, message string) {
	if !waits && w.unasked() {
		facts.Watch(task, w.now, "waits until Prometheus was asked about it")
		return
	}
	facts.End(task, v1alpha1.TaskSucceeded, w.now, message)
}

// judgeAnew: what was just deployed, or mended by a person, is not judged by what was asked before.
func (r *Reconciler) judgeAnew(w *work) {
	r.askAnew(w)
	if w.before.Spec.HealthCheck == nil {
		return
	}
	r.prober.Forget(w.before.UID)
	w.healthy(metav1.ConditionUnknown, v1alpha1.ReasonNotProbedYet, "what it answers from now on counts")
}
