package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/lock"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/settings"
)

// leaseSeconds of a Server's lock: a process that died holds up the next for so long.
const leaseSeconds = 15

// act does the tasks whose turn it is, up to the first that takes time.
func (r *Reconciler) act(ctx context.Context, w *work) error {
	if w.after.Spec.Paused {
		return nil
	}
	w.wantFence()
	tasks := w.after.Status.Tasks
	for {
		i := facts.Next(tasks)
		if i < 0 {
			r.letGo(w)
			return nil
		}
		task := &tasks[i]
		if w.noMachine(task) {
			return nil
		}
		if ended, ours := w.inPools(task); ended {
			continue
		} else if ours {
			return nil
		}
		if due := facts.Due(*task); w.now.Before(due) {
			w.by(due)
			return nil
		}
		if err := r.do(ctx, w, task); err != nil {
			return err
		}
		if task.State == v1alpha1.TaskPending || task.State == v1alpha1.TaskRunning {
			return nil
		}
	}
}

// noMachine ends a task that puts into service what is not there, whatever a person said, or has it wait for what is being made.
func (w *work) noMachine(task *v1alpha1.Task) bool {
	if task.Type != v1alpha1.TaskAttachMonitor && task.Type != v1alpha1.TaskAttachLoadBalancer {
		return false
	}
	state := v1alpha1.MachineAbsent
	if m := w.after.Status.Machine; m != nil {
		state = m.State
	}
	switch state {
	case v1alpha1.MachineAbsent, v1alpha1.MachineGone:
		facts.End(task, v1alpha1.TaskFailed, w.now, "there is no machine, and nothing makes one in state "+string(w.after.Status.Phase))
	case v1alpha1.MachineCreating:
		facts.Watch(task, w.now, "waits for the machine, which is being made")
	default:
		return false
	}
	return true
}

// do one task, as far as it goes now.
func (r *Reconciler) do(ctx context.Context, w *work, task *v1alpha1.Task) error {
	switch task.Type {
	case v1alpha1.TaskCreateMachine:
		return r.create(ctx, w, task)
	case v1alpha1.TaskDeleteMachine:
		return r.remove(ctx, w, task)
	case v1alpha1.TaskFenceMachine:
		return r.fence(ctx, w, task)
	case v1alpha1.TaskInstallPackages:
		return r.install(ctx, w, task)
	case v1alpha1.TaskVerifyEnvironment:
		return r.verify(ctx, w, task)
	case v1alpha1.TaskDeployCode:
		return r.deploy(ctx, w, task)
	case v1alpha1.TaskCheckHealth:
		r.checkHealth(w, task)
		return nil
	}
	if outcome, message, ok := facts.Instant(task.Type); ok {
		facts.End(task, outcome, w.now, message)
		w.monitored(task.Type)
	} else if task.State != v1alpha1.TaskRunning {
		facts.Begin(task, w.now, "") // it watches, and ends with the operation
	}
	return nil
}

// letGo of the lock once nothing is left to do under it, or a person is asked.
func (r *Reconciler) letGo(w *work) {
	if held := w.before.Status.Lock; held != nil && held.Holder == r.Holder {
		w.release()
	}
}

// hold the lock for the operation: true once it is on record, and fresh.
func (r *Reconciler) hold(w *work) (int64, bool) {
	step := lock.Decide(w.mind.lock, lock.Wish{
		Holder: r.Holder, OperationID: w.after.Status.Operation.ID, LeaseSeconds: leaseSeconds, Floor: w.mind.floor,
	}, w.now)
	w.by(step.Wake)
	switch step.Verb {
	case lock.Work:
		return w.before.Status.Lock.Sequence, true
	case lock.Wait:
		return 0, false
	case lock.TakeOver:
		r.measures.takeovers.Inc()
	}
	w.after.Status.Lock = step.Lock
	return 0, false
}

func (w *work) release() { w.after.Status.Lock = lock.Release(w.before.Status.Lock, w.now) }

// unmoved reads the Server anew: what was decided from an older one is not done.
func (r *Reconciler) unmoved(ctx context.Context, w *work) error {
	live := &v1alpha1.Server{}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(w.before), live); err != nil {
		return err
	}
	if live.ResourceVersion != w.before.ResourceVersion {
		w.by(w.now.Add(control.LookSoon))
		return errMoved
	}
	return nil
}

// ready says whether the driver may be asked to change something now, and under which sequence.
func (r *Reconciler) ready(ctx context.Context, w *work, task *v1alpha1.Task) (machine.Call, bool, error) {
	if w.driver == nil {
		facts.End(task, v1alpha1.TaskFailed, w.now, fmt.Sprintf("driver %q is not configured here: there is %s", w.before.Spec.Machine.Driver,
			strings.Join(slices.Sorted(maps.Keys(r.Drivers)), ", ")))
		return machine.Call{}, false, nil
	}
	sequence, mine := r.hold(w)
	if !mine {
		return machine.Call{}, false, nil
	}
	if err := r.unmoved(ctx, w); err != nil {
		if errors.Is(err, errMoved) {
			return machine.Call{}, false, nil
		}
		return machine.Call{}, false, err
	}
	call, err := r.call(ctx, w, sequence)
	if err != nil {
		facts.Retry(task, w.now, err.Error())
		w.by(facts.Due(*task))
		return machine.Call{}, false, nil
	}
	return call, true, nil
}

// create the machine, once that is on record.
func (r *Reconciler) create(ctx context.Context, w *work, task *v1alpha1.Task) error {
	if !controllerutil.ContainsFinalizer(w.before, v1alpha1.FinalizerMachine) {
		changed := w.before.DeepCopy()
		controllerutil.AddFinalizer(changed, v1alpha1.FinalizerMachine)
		w.by(w.now.Add(control.LookSoon))
		return r.patch(ctx, changed, w.before)
	}
	call, ok, err := r.ready(ctx, w, task)
	if err != nil || !ok {
		w.intend()
		return err
	}
	if w.before.Status.Creation == nil {
		w.intend()
		return nil
	}
	spec, err := r.spec(ctx, w)
	if err != nil {
		facts.Retry(task, w.now, err.Error())
		w.by(facts.Due(*task))
		return nil
	}
	made, err := w.driver.Ensure(ctx, call, spec)
	r.measures.count(w, "ensure", err)
	if err == nil {
		err = unbelievable(made)
	}
	if err != nil {
		w.failed(task, err)
		return nil
	}
	r.take(w, facts.Reading{Machine: made})
	if is := w.before.Spec.ProviderID; is != "" && is != made.ID {
		facts.End(task, v1alpha1.TaskFailed, w.now, fmt.Sprintf("the driver says that the machine is %s, and it was %s", made.ID, is))
		return nil
	}
	if made.State != v1alpha1.MachineRunning {
		facts.Begin(task, w.now, fmt.Sprintf("machine %s is %s", made.ID, made.State))
		w.by(facts.Due(*task))
		return nil
	}
	facts.End(task, v1alpha1.TaskSucceeded, w.now, "machine "+made.ID)
	return nil
}

// intend puts the creation on record, with the lock, before the driver is asked.
func (w *work) intend() {
	if w.after.Status.Lock != nil && w.after.Status.Lock.Holder != "" && w.after.Status.Creation == nil {
		w.after.Status.Creation = &v1alpha1.Creation{
			Key: string(w.before.UID), State: v1alpha1.CreationPending, At: ptr.To(metav1.NewTime(w.now)),
		}
	}
}

func (r *Reconciler) spec(ctx context.Context, w *work) (machine.Spec, error) {
	owner, err := r.owner(ctx)
	if err != nil {
		return machine.Spec{}, err
	}
	out := machine.Spec{Owner: owner, Name: w.before.Namespace + "/" + w.before.Name, Machine: *w.before.Spec.Machine.DeepCopy()}
	if ref := w.before.Spec.Machine.UserDataRef; ref != nil {
		data, err := r.secrets.Read(ctx, w.before.Namespace, ref.Name)
		if err != nil {
			return machine.Spec{}, fmt.Errorf("%w (spec.machine.userDataRef)", err)
		}
		if out.UserData = data[settings.UserDataKey]; len(out.UserData) == 0 { // it would boot for good without what it is to be given
			return machine.Spec{}, fmt.Errorf("secret %s has no key %s (spec.machine.userDataRef)", ref.Name, settings.UserDataKey)
		}
	}
	return out, nil
}

// failed for good, or for now.
func (w *work) failed(task *v1alpha1.Task, err error) {
	switch {
	case errors.Is(err, machine.ErrGone):
		facts.End(task, v1alpha1.TaskFailed, w.now,
			"the machine was removed, and its key makes no other: delete the Server, and its set makes one. "+err.Error())
	case errors.Is(err, machine.ErrInvalid), errors.Is(err, machine.ErrFenced):
		facts.End(task, v1alpha1.TaskFailed, w.now, err.Error())
	default:
		facts.Retry(task, w.now, err.Error())
		w.by(facts.Due(*task))
	}
}

// remove the machine, and wait until it is gone.
func (r *Reconciler) remove(ctx context.Context, w *work, task *v1alpha1.Task) error {
	if w.before.Status.Creation == nil && w.after.Status.Creation == nil {
		facts.End(task, v1alpha1.TaskSucceeded, w.now, "there never was one")
		return nil
	}
	call, ok, err := r.ready(ctx, w, task)
	if err != nil || !ok {
		return err
	}
	if same, err := r.asItsSet(ctx, w); err != nil || !same {
		return err
	}
	err = w.driver.Delete(ctx, call)
	r.measures.count(w, "delete", err)
	if err != nil && !errors.Is(err, machine.ErrGone) {
		w.failed(task, err)
		return nil
	}
	_, err = w.driver.Get(ctx, call)
	r.measures.count(w, "get", err)
	if errors.Is(err, machine.ErrGone) {
		facts.End(task, v1alpha1.TaskSucceeded, w.now, "the machine is gone")
		return nil
	}
	facts.Begin(task, w.now, "the machine is being removed")
	w.by(facts.Due(*task))
	return nil
}

// asItsSet says that what was decided about the machine's end rests on the set as it is: a cache that is behind does not know yet that it
// was deleted, nor what is then to become of its machines.
func (r *Reconciler) asItsSet(ctx context.Context, w *work) (bool, error) {
	set, bereft, err := setOf(ctx, r.live, w.before)
	if err != nil {
		return false, err
	}
	same := bereft == w.bereft && (set == nil) == (w.set == nil)
	if same && set != nil {
		same = set.DeletionTimestamp.IsZero() == w.set.DeletionTimestamp.IsZero() && set.Spec.RemovalPolicy == w.set.Spec.RemovalPolicy &&
			equality.Semantic.DeepEqual(set.Spec.Approvals, w.set.Spec.Approvals)
	}
	if !same {
		w.by(w.now.Add(control.LookSoon))
	}
	return same, nil
}
