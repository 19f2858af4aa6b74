package servers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// wantFence adds the task that stops the machine, if the set asks for it in this outage: what is given up is not to run beside what takes
// its place.
func (w *work) wantFence() {
	op, tasks := w.after.Status.Operation, w.after.Status.Tasks
	if w.decided.Row != v1alpha1.ReasonUnreachable || op == nil || w.before.Annotations[v1alpha1.AnnotationFence] != op.ID {
		return
	}
	is := func(kind v1alpha1.TaskType) func(v1alpha1.Task) bool {
		return func(t v1alpha1.Task) bool { return t.Type == kind }
	}
	probing := slices.IndexFunc(tasks, is(v1alpha1.TaskProbe))
	if slices.ContainsFunc(tasks, is(v1alpha1.TaskFenceMachine)) || probing < 0 {
		return
	}
	w.after.Status.Tasks = slices.Insert(slices.Clone(tasks), probing, v1alpha1.Task{
		ID: fmt.Sprintf("fence-machine-%d", op.Sequence), Type: v1alpha1.TaskFenceMachine, State: v1alpha1.TaskPending,
	})
}

// fence tells the machine's system to stop it. That it did is seen by the next looks at it.
func (r *Reconciler) fence(ctx context.Context, w *work, task *v1alpha1.Task) error {
	call, ok, err := r.ready(ctx, w, task)
	if err != nil || !ok {
		return err
	}
	err = w.driver.Stop(ctx, call)
	r.measures.count(w, "stop", err)
	switch {
	case err == nil, errors.Is(err, machine.ErrGone):
		facts.End(task, v1alpha1.TaskSucceeded, w.now, "the driver was told to stop the machine")
	default:
		// However often it fails, it is tried again: what waits for it is said by the set.
		facts.Retry(task, w.now, err.Error())
		w.by(facts.Due(*task))
	}
	return nil
}
