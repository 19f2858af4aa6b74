package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/remote"
)

const (
	// longestSilence is how rarely a machine that does not answer is asked again.
	longestSilence = time.Minute
	noAccess       = "machine.access is missing: nothing but the machine itself can be delivered"
)

// target is how the machine is logged into.
func (r *Reconciler) target(ctx context.Context, w *work) (remote.Target, error) {
	access := w.before.Spec.Machine.Access
	address := facts.Address(w.after.Status.Addresses)
	if address == "" {
		return remote.Target{}, errors.New("the driver names no address of the machine")
	}
	data, err := r.secrets.Read(ctx, w.before.Namespace, access.PrivateKeyRef.Name)
	if err != nil {
		return remote.Target{}, fmt.Errorf("%w (spec.machine.access.privateKeyRef)", err)
	}
	key := data[corev1.SSHAuthPrivateKey]
	if len(key) == 0 {
		return remote.Target{}, fmt.Errorf("secret %s has no key %s (spec.machine.access.privateKeyRef)", access.PrivateKeyRef.Name,
			corev1.SSHAuthPrivateKey)
	}
	out := remote.Target{Address: net.JoinHostPort(address, strconv.Itoa(int(access.Port))), User: access.User, Key: key}
	if w.after.Status.Machine != nil {
		out.HostKeys = w.after.Status.Machine.HostKeys
	}
	return out, nil
}

// quiet says that the machine, or its deploy system, was asked in vain a moment ago, and when it is asked again.
func (w *work) quiet() bool {
	if w.now.Before(w.mind.quiet) {
		w.by(w.mind.quiet)
		return true
	}
	return false
}

func (w *work) answered() { w.mind.quiet, w.mind.silence = time.Time{}, 0 }

// unanswered tries again later what may pass by itself, however often it fails; what will not asks a person.
func (w *work) unanswered(task *v1alpha1.Task, err error) {
	if errors.Is(err, remote.ErrHostKey) || errors.Is(err, remote.ErrKey) {
		facts.End(task, v1alpha1.TaskFailed, w.now, err.Error())
		return
	}
	w.mind.silence = min(max(2*w.mind.silence, facts.Poll), longestSilence)
	w.mind.quiet = w.now.Add(w.mind.silence)
	facts.Watch(task, w.now, err.Error())
	w.by(w.mind.quiet)
}

// goesOn looks again soon.
func (w *work) goesOn(task *v1alpha1.Task, message string) {
	facts.Watch(task, w.now, message)
	w.by(w.now.Add(facts.Poll))
}

// workName names a try of a task, on the machine and to a deploy system.
func workName(w *work, task *v1alpha1.Task) string {
	return fmt.Sprintf("%s.%s.%d", w.after.Status.Operation.ID, task.ID, task.Attempts)
}

// mine says whether the lock is ours on record, and its sequence: something may be begun under it.
func (r *Reconciler) mine(ctx context.Context, w *work) (int64, bool, error) {
	sequence, held := r.hold(w)
	if !held {
		return 0, false, nil
	}
	err := r.unmoved(ctx, w)
	if errors.Is(err, errMoved) {
		return 0, false, nil
	}
	return sequence, err == nil, err
}

// fenced gives the lock up that the machine no longer takes: the next is taken above what the machine has seen, if it is ours to take.
func (w *work) fenced(task *v1alpha1.Task, seen int64, err error) {
	w.mind.floor = max(w.mind.floor, seen)
	w.release()
	w.unanswered(task, err)
}

// perform has a script run on the machine for a task, and gives how it ended; nil while it goes on, or waits. A script that is empty has
// nothing to do.
func (r *Reconciler) perform(
	ctx context.Context, w *work, task *v1alpha1.Task, script func(remote.Target) ([]byte, error),
) (*remote.Status, error) {
	if w.quiet() {
		return nil, nil
	}
	target, err := r.target(ctx, w)
	if err != nil {
		w.unanswered(task, err)
		return nil, nil
	}
	name := workName(w, task)
	status, err := r.Remote.Status(ctx, target)
	switch {
	case err != nil:
		w.unanswered(task, err)
		return nil, nil
	case status.Name == name && status.State == remote.Ended:
		w.answered()
		return &status, nil
	case status.Name == name && status.State == remote.Running:
		w.answered()
		w.goesOn(task, status.LastLine())
		return nil, nil
	}
	sequence, mine, err := r.mine(ctx, w)
	if err != nil || !mine {
		return nil, err
	}
	text, err := script(target)
	if err != nil {
		w.unanswered(task, err)
		return nil, nil
	}
	w.answered()
	if text == nil {
		return &remote.Status{Name: name, State: remote.Ended}, nil
	}
	err = r.Remote.Start(ctx, target, remote.Work{Sequence: sequence, Name: name, Script: text})
	switch {
	case errors.Is(err, remote.ErrFenced):
		w.fenced(task, status.Fence, err)
	case err != nil:
		w.unanswered(task, err)
	default:
		w.goesOn(task, "begun on the machine")
	}
	return nil, nil
}
