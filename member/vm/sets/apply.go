package sets

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/fleet"
)

// apply the plan; its numbers are on record.
func (r *Reconciler) apply(ctx context.Context, w *work) error {
	if w.set.DeletionTimestamp != nil {
		return r.remove(ctx, w)
	}
	for i, name := range w.plan.Create {
		if err := r.create(ctx, w, name, w.plan.Unmade[i]); err != nil {
			return err
		}
	}
	for _, m := range w.in.Servers {
		if err := r.change(ctx, w, m); err != nil {
			return err
		}
	}
	return nil
}

// change one Server: its gates are the set's of now, an environment is granted, and who goes is marked.
func (r *Reconciler) change(ctx context.Context, w *work, m fleet.Member) error {
	if !w.concerns(m) {
		return nil
	}
	changed := m.DeepCopy()
	if w.active(m) && !equality.Semantic.DeepEqual(changed.Spec.Gates, serverGates(w.set)) {
		changed.Spec.Gates = serverGates(w.set)
	}
	if slices.Contains(w.plan.Grant, m.Name) {
		grant(changed, w)
	} else if m.GrantedAt.After(w.now) { // by a clock that was ahead: the safe frequency would stand still until then
		metav1.SetMetaDataAnnotation(&changed.ObjectMeta, v1alpha1.AnnotationGrantedAt, w.now.UTC().Format(time.RFC3339))
	}
	if slices.Contains(w.plan.Fence, m.Name) && m.Status.Operation != nil {
		metav1.SetMetaDataAnnotation(&changed.ObjectMeta, v1alpha1.AnnotationFence, m.Status.Operation.ID)
	}
	mark := slices.IndexFunc(w.plan.Offline, func(mark fleet.Mark) bool { return mark.Server == m.Name })
	if mark >= 0 {
		changed.Spec.Offline = true
		metav1.SetMetaDataAnnotation(&changed.ObjectMeta, v1alpha1.AnnotationOfflineReason, w.plan.Offline[mark].Reason)
		if w.plan.Offline[mark].GivenUp && m.Status.Operation != nil {
			metav1.SetMetaDataAnnotation(&changed.ObjectMeta, v1alpha1.AnnotationGivenUp, m.Status.Operation.ID)
		}
	}
	if equality.Semantic.DeepEqual(changed, m.Server) {
		return nil
	}
	if err := r.writer.Patch(ctx, changed, client.MergeFromWithOptions(m.Server, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("changing Server %s: %w", m.Name, err)
	}
	if mark >= 0 {
		r.failedOver(w.set, w.plan.Offline[mark])
		r.recorder.Eventf(w.set, corev1.EventTypeNormal, w.plan.Offline[mark].Reason, "Server %s is taken out of service.", m.Name)
	}
	return nil
}

// concerns says whether there is anything to change of a Server. Of most there is not, at each of the looks that each of them brings about:
// a copy of each, and its comparison, was half of the processor time of a large set.
func (w *work) concerns(m fleet.Member) bool {
	return w.active(m) && !equality.Semantic.DeepEqual(m.Spec.Gates, serverGates(w.set)) || m.GrantedAt.After(w.now) ||
		slices.Contains(w.plan.Grant, m.Name) || slices.Contains(w.plan.Fence, m.Name) ||
		slices.ContainsFunc(w.plan.Offline, func(mark fleet.Mark) bool { return mark.Server == m.Name })
}

func (w *work) active(m fleet.Member) bool { return m.DeletionTimestamp == nil }

func serverGates(set *v1alpha1.VMReplicaSet) []gatev1alpha1.Gate {
	return slices.DeleteFunc(slices.Clone(set.Spec.Gates), func(g gatev1alpha1.Gate) bool { return g.Stage == gatev1alpha1.StageFailover })
}

// grant the environment of the template.
func grant(server *v1alpha1.Server, w *work) {
	template := w.set.Spec.Template.Spec.DeepCopy()
	server.Spec.Packages, server.Spec.LoadBalancers = template.Packages, template.LoadBalancers
	server.Spec.Monitors, server.Spec.HealthCheck = template.Monitors, template.HealthCheck
	metav1.SetMetaDataLabel(&server.ObjectMeta, v1alpha1.LabelRevision, w.in.Revision)
	delete(server.Annotations, v1alpha1.AnnotationSettings)
	if w.settings != "" {
		metav1.SetMetaDataAnnotation(&server.ObjectMeta, v1alpha1.AnnotationSettings, w.settings)
	}
	metav1.SetMetaDataAnnotation(&server.ObjectMeta, v1alpha1.AnnotationGrantedAt, w.now.UTC().Format(time.RFC3339))
}

func (r *Reconciler) create(ctx context.Context, w *work, name string, slot int64) error {
	server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{
		Namespace: w.set.Namespace, Name: name, Labels: map[string]string{}, Annotations: maps.Clone(w.set.Spec.Template.Metadata.Annotations),
		Finalizers: []string{v1alpha1.FinalizerMachine},
	}}
	for key, value := range w.set.Spec.Template.Metadata.Labels {
		server.Labels[key] = string(value)
	}
	server.Labels[v1alpha1.LabelSet] = w.set.Name
	server.Spec.Machine, server.Spec.Gates = *w.set.Spec.Template.Spec.Machine.DeepCopy(), serverGates(w.set)
	grant(server, w)
	// On from the first moment: none can be put on a Server that is being deleted.
	if len(server.Spec.LoadBalancers) > 0 {
		controllerutil.AddFinalizer(server, v1alpha1.FinalizerLoadBalancer)
	}
	if len(server.Spec.Monitors) > 0 {
		controllerutil.AddFinalizer(server, v1alpha1.FinalizerMonitor)
	}
	if err := controllerutil.SetControllerReference(w.set, server, r.writer.Scheme()); err != nil {
		return fmt.Errorf("making Server %s: %w", name, err)
	}
	err := r.writer.Create(ctx, server)
	if apierrors.IsAlreadyExists(err) {
		return r.met(ctx, w, name, slot)
	}
	if err != nil {
		return fmt.Errorf("making Server %s: %w", name, err)
	}
	return nil
}

// met a Server that is there already. One of this set's another leader made, and the next list shows it; another's has its slot spent.
func (r *Reconciler) met(ctx context.Context, w *work, name string, slot int64) error {
	there := &v1alpha1.Server{}
	switch err := r.live.Get(ctx, client.ObjectKey{Namespace: w.set.Namespace, Name: name}, there); {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("making Server %s: one of its name was there, and went meanwhile", name)
	case err != nil:
		return fmt.Errorf("reading Server %s, which is there already: %w", name, err)
	case metav1.IsControlledBy(there, w.set):
		return nil
	}
	if soon := w.now.Add(control.LookSoon); w.plan.Wake.IsZero() || soon.Before(w.plan.Wake) {
		w.plan.Wake = soon // where the number was on record before, nothing that was written has the set looked at again
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken[w.set.UID] = taken{
		slots: append(r.taken[w.set.UID].slots, slot),
		said:  fmt.Sprintf("Server %s is there already, and is none of this set's: the next number is taken", name),
	}
	return nil
}

// remove the Servers of a set that is being deleted, and then let it go.
func (r *Reconciler) remove(ctx context.Context, w *work) error {
	if len(w.in.Servers) == 0 {
		if !controllerutil.ContainsFinalizer(w.set, v1alpha1.FinalizerServers) {
			return nil
		}
		changed := w.set.DeepCopy()
		controllerutil.RemoveFinalizer(changed, v1alpha1.FinalizerServers)
		if err := r.writer.Patch(ctx, changed, client.MergeFromWithOptions(w.set, client.MergeFromWithOptimisticLock{})); err != nil {
			return fmt.Errorf("letting a set go: %w", err)
		}
		return nil
	}
	if !w.removal.open {
		return nil
	}
	for _, m := range w.in.Servers {
		if m.DeletionTimestamp != nil {
			continue
		}
		if err := r.writer.Delete(ctx, m.Server, client.Preconditions{UID: ptr.To(m.UID)}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("removing Server %s: %w", m.Name, err)
		}
	}
	return nil
}
