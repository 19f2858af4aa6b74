package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
	"github.com/argosy-dev/argosy/member/vm/deploy"
	"github.com/argosy-dev/argosy/member/vm/facts"
)

// deploy the release, by the system it names.
func (r *Reconciler) deploy(ctx context.Context, w *work, task *v1alpha1.Task) error {
	release := w.before.Spec.Release
	if release == nil {
		facts.End(task, v1alpha1.TaskSucceeded, w.now, "no release is asked for")
		return nil
	}
	name := deploy.NameOf(*release)
	system := r.Systems[name]
	if system == nil {
		facts.End(task, v1alpha1.TaskFailed, w.now, fmt.Sprintf("deploy system %q is not configured here: there is %s", name,
			strings.Join(slices.Sorted(maps.Keys(r.Systems)), ", ")))
		return nil
	}
	if err := system.Check(*release); err != nil {
		facts.End(task, v1alpha1.TaskFailed, w.now, err.Error())
		return nil
	}
	job, ok := r.job(ctx, w, task, name)
	if !ok {
		return nil
	}
	progress, err := system.Observe(ctx, job)
	if err != nil {
		w.unanswered(task, err)
		return nil
	}
	w.answered()
	switch progress.State {
	case deploy.Running:
		w.goesOn(task, progress.Message)
	case deploy.Failed:
		facts.Again(task, w.now, progress.Message)
		w.by(facts.Due(*task))
	case deploy.Succeeded:
		w.after.Status.Release = code.Deployed(*release)
		facts.End(task, v1alpha1.TaskSucceeded, w.now, "")
	default:
		return r.start(ctx, w, task, system, job)
	}
	return nil
}

// job of a task; not ok: it waits, or cannot be.
func (r *Reconciler) job(ctx context.Context, w *work, task *v1alpha1.Task, system string) (deploy.Job, bool) {
	if w.quiet() {
		return deploy.Job{}, false
	}
	out := deploy.Job{
		ID: workName(w, task), Server: w.before.Namespace + "/" + w.before.Name, Machine: string(w.before.UID),
		Addresses: w.after.Status.Addresses, Release: *w.before.Spec.Release,
	}
	if system != deploy.SystemSSH {
		return out, true
	}
	if w.before.Spec.Machine.Access == nil {
		facts.End(task, v1alpha1.TaskFailed, w.now, noAccess)
		return out, false
	}
	var err error
	if out.Target, err = r.target(ctx, w); err != nil {
		w.unanswered(task, err)
		return out, false
	}
	return out, true
}

func (r *Reconciler) start(ctx context.Context, w *work, task *v1alpha1.Task, system deploy.System, job deploy.Job) error {
	sequence, mine, err := r.mine(ctx, w)
	if err != nil || !mine {
		return err
	}
	job.Sequence = sequence
	err = system.Start(ctx, job)
	switch {
	case errors.Is(err, deploy.ErrFenced):
		w.fenced(task, r.fenceOf(ctx, job), err)
	case errors.Is(err, deploy.ErrInvalid):
		facts.End(task, v1alpha1.TaskFailed, w.now, err.Error())
	case err != nil:
		w.unanswered(task, err)
	default:
		w.goesOn(task, "begun by deploy system "+deploy.NameOf(job.Release))
	}
	return nil
}

// fenceOf the machine; 0 where it does not say.
func (r *Reconciler) fenceOf(ctx context.Context, job deploy.Job) int64 {
	if job.Target.Address == "" {
		return 0
	}
	status, err := r.Remote.Status(ctx, job.Target)
	if err != nil {
		return 0 // the lock's own sequence rises by one with every try
	}
	return status.Fence
}
