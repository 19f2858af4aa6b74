package servers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/facts"
)

// setCondition keeps the time of a state that did not change.
func setCondition(s *v1alpha1.ServerStatus, c metav1.Condition) {
	s.Conditions = slices.Clone(s.Conditions)
	apimeta.SetStatusCondition(&s.Conditions, c)
}

// conclude says what follows from the tasks as they are now.
func (w *work) conclude() {
	for _, c := range w.decided.OfTasks(w.after.Status.Tasks) {
		c.ObservedGeneration, c.LastTransitionTime = w.before.Generation, metav1.NewTime(w.now)
		setCondition(&w.after.Status, c)
	}
}

// handle one Server: look, decide, do what is next, write what came of it.
func (r *Reconciler) handle(ctx context.Context, server *v1alpha1.Server) (time.Time, error) {
	if lost, err := r.relabel(ctx, server); lost || err != nil {
		return r.Now().Add(control.LookSoon), err
	}
	w, err := r.gather(ctx, server)
	if err != nil {
		return time.Time{}, err
	}
	r.decide(w)
	if err := r.act(ctx, w); err != nil {
		return time.Time{}, err
	}
	w.conclude()
	r.doubtSecrets(w)
	written, err := r.writeStatus(ctx, w)
	if err != nil {
		return time.Time{}, err
	}
	if written {
		// The next look is at what was written: the event of this write brings it, and it has its own reasons to wake.
		w.by(w.now.Add(control.LookSoon))
	}
	return w.wake, r.finish(ctx, w)
}

// relabel a Server that lost its set's label, by which everybody but its owner finds it.
func (r *Reconciler) relabel(ctx context.Context, server *v1alpha1.Server) (bool, error) {
	owner := metav1.GetControllerOf(server)
	if owner == nil || owner.Kind != "VMReplicaSet" || server.Labels[v1alpha1.LabelSet] == owner.Name {
		return false, nil
	}
	changed := server.DeepCopy()
	metav1.SetMetaDataLabel(&changed.ObjectMeta, v1alpha1.LabelSet, owner.Name)
	if err := r.writer.Patch(ctx, changed, client.MergeFromWithOptions(server, client.MergeFromWithOptimisticLock{})); err != nil {
		return true, fmt.Errorf("giving a Server its set's label back: %w", err)
	}
	return true, nil
}

func (r *Reconciler) writeStatus(ctx context.Context, w *work) (bool, error) {
	if equality.Semantic.DeepEqual(w.before.Status, w.after.Status) {
		return false, nil
	}
	if facts.OnlyDated(&w.before.Status, &w.after.Status) && !r.beats.TryAccept() {
		return false, nil // enough say so in this second: another look does
	}
	changed := w.before.DeepCopy()
	changed.Status = *w.after.Status.DeepCopy()
	patch := client.MergeFromWithOptions(w.before.DeepCopy(), client.MergeFromWithOptimisticLock{})
	if err := r.writer.Status().Patch(ctx, changed, patch); err != nil {
		return false, fmt.Errorf("writing status of Server: %w", err)
	}
	r.tell(w)
	if was := w.before.Status.Release; was != nil && was.Hash == "" && w.after.Status.Release != nil {
		w.mind.adopted = w.after.Status.Release.Hash
	}
	r.measures.ended(w.before.Status.Tasks, w.after.Status.Tasks)
	w.after.ResourceVersion = changed.ResourceVersion
	return true, nil
}

// finish what follows from a status that is written: the machine's name, the end of the Server.
func (r *Reconciler) finish(ctx context.Context, w *work) error {
	server := w.after
	if server.Spec.ProviderID == "" && w.id != "" {
		base := server.DeepCopy()
		server.Spec.ProviderID = w.id
		if err := r.patch(ctx, server, base); err != nil {
			return fmt.Errorf("writing a machine's name: %w", err)
		}
	}
	switch {
	case !facts.Done(server.Status.Tasks):
		return nil
	case w.decided.Row == v1alpha1.ReasonDeleting && controllerutil.ContainsFinalizer(server, v1alpha1.FinalizerMachine):
		base := server.DeepCopy()
		controllerutil.RemoveFinalizer(server, v1alpha1.FinalizerMachine)
		if err := r.patch(ctx, server, base); err != nil {
			return fmt.Errorf("letting a Server go: %w", err)
		}
	case w.decided.Row == v1alpha1.ReasonTakenOffline && server.DeletionTimestamp == nil:
		version := client.Preconditions{UID: &server.UID, ResourceVersion: ptr.To(server.ResourceVersion)}
		if err := r.writer.Delete(ctx, server, version); err != nil {
			return fmt.Errorf("removing a Server that is offline: %w", err)
		}
	}
	return nil
}

// patch of anything but the status.
func (r *Reconciler) patch(ctx context.Context, server, base *v1alpha1.Server) error {
	return r.writer.Patch(ctx, server, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
}

// errMoved is a Server that changed since it was decided about.
var errMoved = errors.New("the Server changed meanwhile")
