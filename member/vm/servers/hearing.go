package servers

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/probe"
)

const (
	// dialPeriod is how often a machine is dialled whose service is not known to be well.
	dialPeriod = 10 * time.Second
	// silentRounds without an answer, so 30 s after the first, make a machine that answered before one that cannot be reached; a single one
	// that returns must answer twice.
	silentRounds, returnRounds = 4, 2
)

// hear writes down whether the machine can be reached: its service passes its check, or something answers where it is logged into or
// probed.
func (r *Reconciler) hear(w *work) {
	hearing := facts.Hearing{Answer: facts.NothingAsked}
	ports := portsOf(&w.before.Spec)
	switch {
	case len(ports) == 0 || w.before.DeletionTimestamp != nil:
		r.stopDialling(w)
	case apimeta.IsStatusConditionTrue(w.after.Status.Conditions, v1alpha1.ConditionHealthy):
		r.stopDialling(w) // who serves need not be asked whether it is there
		hearing = facts.Hearing{Answer: facts.Heard, Message: "its health check passes"}
	default:
		hearing = r.dialled(w, ports)
	}
	w.distrusted = hearing.Answer == facts.Distrusted
	hearing.Beat = r.beat()
	hearing.Write(&w.after.Status, w.before.Generation, w.now)
}

// down says that the machine surely does not run, by its driver, whoever else is silent.
func down(status *v1alpha1.ServerStatus) bool {
	m := status.Machine
	return m != nil && (m.State == v1alpha1.MachineStopped || m.State == v1alpha1.MachineGone)
}

func (r *Reconciler) stopDialling(w *work) {
	if r.dialler != nil {
		r.dialler.Forget(w.before.UID)
	}
}

// portsOf a machine at which it should answer, that of SSH first.
func portsOf(spec *v1alpha1.ServerSpec) []int32 {
	var out []int32
	if spec.Machine.Access != nil {
		out = append(out, spec.Machine.Access.Port)
	}
	if check := spec.HealthCheck; check != nil {
		switch {
		case check.HTTPGet != nil:
			out = append(out, check.HTTPGet.Port)
		case check.GRPC != nil:
			out = append(out, check.GRPC.Port)
		case check.TCPSocket != nil:
			out = append(out, check.TCPSocket.Port)
		}
	}
	return slices.Compact(out)
}

// dialled is what came of dialling the machine. One that never answered since it was made is not lost: it may be coming up, and what cannot
// be delivered to it says so.
func (r *Reconciler) dialled(w *work, ports []int32) facts.Hearing {
	status := &w.after.Status
	address := facts.Address(status.Addresses)
	if address == "" || r.dialler == nil {
		return facts.Hearing{Answer: facts.NotHeardYet}
	}
	var text []string
	for _, port := range ports {
		text = append(text, strconv.Itoa(int(port)))
	}
	where := fmt.Sprintf("%s port %s", address, strings.Join(text, " or "))
	check := &v1alpha1.HealthCheck{
		PeriodSeconds: int32(r.DialPeriod / time.Second), TimeoutSeconds: 3, SuccessThreshold: 1, FailureThreshold: silentRounds,
		StartupSeconds: ptr.To[int32](math.MaxInt32),
	}
	target := probe.Target{
		UID: w.before.UID, Name: client.ObjectKeyFromObject(w.before), Set: client.ObjectKeyFromObject(w.before), Address: address,
		Check: check, Ports: ports, Epoch: where, Verdict: probe.NotKnown, Up: status.Release != nil || len(status.Packages) > 0,
	}
	if w.set != nil {
		target.Set.Name, target.Allowed = w.set.Name, allowed(w.set)
	}
	switch was := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReachable); {
	case was == nil:
	case was.Status == metav1.ConditionTrue:
		target.Verdict = probe.Healthy
	case was.Reason == v1alpha1.ReasonHeartbeatLost:
		target.Verdict, check.SuccessThreshold = probe.Unhealthy, returnRounds
	}
	switch opinion := r.dialler.Watch(target); {
	case opinion.Verdict == probe.Healthy:
		return facts.Hearing{Answer: facts.Heard, Message: "it answers at " + where}
	case opinion.Verdict == probe.Unhealthy && opinion.Blind != "":
		blind := strings.Replace(opinion.Blind, "fail their health check", "do not answer", 1)
		return facts.Hearing{Answer: facts.Distrusted, Message: opinion.Message + "; nobody is given up for it: " + blind}
	case opinion.Verdict == probe.Unhealthy:
		return facts.Hearing{Answer: facts.Silent, Message: opinion.Message}
	}
	return facts.Hearing{Answer: facts.NotHeardYet}
}
