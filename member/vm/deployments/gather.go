package deployments

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/rollout"
)

// work is one look at a VMDeployment.
type work struct {
	deployment *v1alpha1.VMDeployment
	in         rollout.Input
	plan       rollout.Plan
	revisions  []*appsv1.ControllerRevision
	now        time.Time
	// trouble says why nothing is released; empty: nothing is in the way.
	trouble, reason string
}

func (r *Reconciler) gather(ctx context.Context, deployment *v1alpha1.VMDeployment) (*work, error) {
	w := &work{deployment: deployment, now: r.Now()}
	w.in = rollout.Input{Deployment: deployment, Release: deployment.Spec.Release, Now: w.now}
	if r.gates != nil {
		w.in.Answers = r.gates.Answers(deployment.UID, deployment.Spec.Gates)
	}
	if err := r.readRevisions(ctx, w); err != nil {
		return nil, err
	}
	w.resolve()
	if w.trouble != "" {
		return w, nil
	}
	if err := r.ensureRevision(ctx, w); err != nil {
		return nil, err
	}
	set := &v1alpha1.VMReplicaSet{}
	err := r.cache.Get(ctx, client.ObjectKey{Namespace: deployment.Namespace, Name: deployment.Spec.TargetRef.Name}, set)
	switch {
	case apierrors.IsNotFound(err):
		w.reason, w.trouble = v1alpha1.ReasonTargetMissing, fmt.Sprintf("there is no VMReplicaSet %s", deployment.Spec.TargetRef.Name)
		return w, nil
	case err != nil:
		return nil, fmt.Errorf("reading the target: %w", err)
	}
	if other, err := r.older(ctx, deployment); err != nil || other != "" {
		w.reason, w.trouble = v1alpha1.ReasonTargetTaken, fmt.Sprintf("VMDeployment %s delivers to VMReplicaSet %s already", other, set.Name)
		return w, err
	}
	list := &v1alpha1.ServerList{}
	// Nothing is changed of what the cache has: a grant copies.
	if err := r.cache.List(ctx, list, r.bySet.OfSet(client.ObjectKeyFromObject(set)), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing the Servers of the target: %w", err)
	}
	for i := range list.Items {
		if s := &list.Items[i]; metav1.IsControlledBy(s, set) && s.DeletionTimestamp == nil && !s.Spec.Offline {
			w.in.Servers = append(w.in.Servers, s)
		}
	}
	return w, nil
}

// older is the VMDeployment that was there first for the same target; "": there is none.
func (r *Reconciler) older(ctx context.Context, deployment *v1alpha1.VMDeployment) (string, error) {
	list := &v1alpha1.VMDeploymentList{}
	if err := r.cache.List(ctx, list, client.InNamespace(deployment.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("listing VMDeployments: %w", err)
	}
	for i := range list.Items {
		other := &list.Items[i]
		first := cmp.Or(other.CreationTimestamp.Compare(deployment.CreationTimestamp.Time), cmp.Compare(other.Name, deployment.Name)) < 0
		if first && other.UID != deployment.UID && other.Spec.TargetRef == deployment.Spec.TargetRef && other.DeletionTimestamp == nil {
			return other.Name, nil
		}
	}
	return "", nil
}

// resolve which release is asked for, and which was there before it.
func (w *work) resolve() {
	if back := w.deployment.Spec.RollbackTo; back != nil {
		release, err := w.release(back.Revision)
		if err != nil {
			w.reason, w.trouble = v1alpha1.ReasonRevisionMissing, err.Error()
			return
		}
		w.in.Release = *release
	}
	w.in.Revision = RevisionName(w.deployment.Name, w.in.Release)
	if before := w.deployment.Status.CurrentRevision; before != "" && before != w.in.Revision {
		if release, err := w.release(before); err == nil {
			w.in.Before = release
		}
	}
}

func (w *work) decide() {
	w.plan = rollout.Decide(w.in)
	if w.trouble == "" {
		return
	}
	version := w.plan.Status.Version
	w.plan.Changes, w.plan.Wake = nil, time.Time{}
	w.plan.Status = *w.deployment.Status.DeepCopy()
	if w.reason != v1alpha1.ReasonRevisionMissing { // of which nobody knows what is asked for
		w.plan.Status.Version = version
	}
	w.plan.Status.ObservedGeneration = w.deployment.Generation
	for _, c := range []metav1.Condition{
		{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse},
		{Type: v1alpha1.ConditionComplete, Status: metav1.ConditionFalse},
		{Type: v1alpha1.ConditionAvailable, Status: metav1.ConditionUnknown},
		{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue},
	} {
		c.Reason, c.Message, c.ObservedGeneration = w.reason, w.trouble, w.deployment.Generation
		c.LastTransitionTime = metav1.NewTime(w.now)
		apimeta.SetStatusCondition(&w.plan.Status.Conditions, c)
	}
}

func sorted(revisions []*appsv1.ControllerRevision) {
	slices.SortFunc(revisions, func(a, b *appsv1.ControllerRevision) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Name, b.Name))
	})
}
