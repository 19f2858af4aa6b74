package oracle

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// placed is one pod that the scheduler has been made to believe in.
type placed struct {
	framework framework.Framework
	state     fwk.CycleState
	pod       *corev1.Pod
	node      string
	// waiting in Permit: it is in the framework's list of waiting pods too.
	waiting bool
}

// refused is why the scheduler found no place.
type refused struct {
	// byPlugin counts nodes by the plugin that turned them down; a pod turned down as a whole counts under its plugin with 0 nodes.
	byPlugin map[string]int
	byNode   map[string]string
	message  string
}

// place runs one scheduling cycle as scheduler.schedulingCycle does, up to Permit and without PostFilter: preemption deletes pods, and what
// fits only by deleting is not free. Waiting in Permit counts as placed. The caller holds the turn.
func (o *Oracle) place(ctx context.Context, v *view, pod *corev1.Pod) (*placed, *refused, error) {
	logger := klog.FromContext(ctx)
	state := framework.NewCycleState()
	state.Write(framework.PodsToActivateKey, framework.NewPodsToActivate())
	result, err := o.sched.SchedulePod(ctx, v.full, state, pod)
	if err != nil {
		why, err := whyRefused(err)
		return nil, why, err
	}
	assumed := pod.DeepCopy()
	assumed.Spec.NodeName = result.SuggestedHost
	if err := o.sched.Cache.AssumePod(logger, assumed); err != nil {
		return nil, nil, fmt.Errorf("assuming a copy: %w", err)
	}
	p := &placed{framework: v.full, state: state, pod: assumed, node: result.SuggestedHost}
	status := v.full.RunReservePluginsReserve(ctx, state, assumed, p.node)
	if status.IsSuccess() {
		status = v.full.RunPermitPlugins(ctx, state, assumed, p.node)
		p.waiting = status.IsWait()
	}
	if !status.IsSuccess() && !p.waiting {
		if err := o.undo(ctx, p); err != nil {
			return nil, nil, err
		}
		if !status.IsRejected() {
			return nil, nil, fmt.Errorf("reserving a copy: %w", status.AsError())
		}
		return nil, &refused{byPlugin: map[string]int{status.Plugin(): 1}, byNode: map[string]string{p.node: status.Plugin()},
			message: status.Message()}, nil
	}
	return p, nil, nil
}

// undo takes one pod back. Unreserve is idempotent by contract, so it is right after a half-done Reserve too.
func (o *Oracle) undo(ctx context.Context, p *placed) error {
	// Undoing must come to its end even if the question's time is up.
	ctx = context.WithoutCancel(ctx)
	logger := klog.FromContext(ctx)
	if p.waiting {
		p.framework.RejectWaitingPod(p.pod.UID)
		p.framework.WaitOnPermit(ctx, p.pod)
	}
	p.framework.RunReservePluginsUnreserve(ctx, p.state, p.pod, p.node)
	if err := o.sched.Cache.ForgetPod(logger, p.pod); err != nil {
		return fmt.Errorf("forgetting a copy: %w", err)
	}
	return nil
}

func whyRefused(err error) (*refused, error) {
	if errors.Is(err, scheduler.ErrNoNodesAvailable) {
		return &refused{message: err.Error()}, nil
	}
	var misfit *framework.FitError
	if !errors.As(err, &misfit) {
		return nil, fmt.Errorf("scheduling a copy: %w", err)
	}
	why := &refused{byPlugin: map[string]int{}, byNode: map[string]string{}, message: misfit.Error()}
	misfit.Diagnosis.NodeToStatus.ForEachExplicitNode(func(node string, status *fwk.Status) {
		why.byPlugin[status.Plugin()]++
		why.byNode[node] = status.Plugin()
	})
	for plugin := range misfit.Diagnosis.UnschedulablePlugins {
		if _, ok := why.byPlugin[plugin]; !ok {
			why.byPlugin[plugin] = 0
		}
	}
	if len(why.byPlugin) == 0 && misfit.NumAllNodes > 0 {
		// A plugin that panics leaves nodes without a verdict, and the pod without a place.
		return nil, fmt.Errorf("scheduling a copy: no plugin says why not: %w", err)
	}
	return why, nil
}

// copyOf makes the i-th copy of a pod: a pod the member has never seen.
func copyOf(pod *corev1.Pod, i int) *corev1.Pod {
	one := pod.DeepCopy()
	one.Name = fmt.Sprintf("%s-argosy-%d", pod.Name, i)
	one.UID = types.UID(fmt.Sprintf("argosy-%s-%s-%d", pod.Namespace, pod.Name, i))
	one.ResourceVersion = ""
	one.Spec.NodeName = ""
	one.Status = corev1.PodStatus{Phase: corev1.PodPending}
	one.DeletionTimestamp = nil
	return one
}
