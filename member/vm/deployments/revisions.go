package deployments

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// LabelDeployment is on the revisions of a VMDeployment; its value is the object's UID.
const LabelDeployment = "vm.argosy.dev/deployment"

// RevisionName of a release of a VMDeployment: the same for the same release, so that it means the same in every member.
func RevisionName(deployment string, release v1alpha1.Release) string {
	text, err := json.Marshal(release)
	if err != nil {
		return "unreadable" // strings and a map of strings: they always marshal
	}
	sum := sha256.Sum256(text)
	return deployment[:min(len(deployment), 240)] + "-" + hex.EncodeToString(sum[:5])
}

// Revisions selects those of VMDeployments: all that the cache need know outside the program's own namespace.
func Revisions() labels.Selector {
	out, err := labels.Parse(LabelDeployment)
	if err != nil {
		return labels.Everything() // a constant: it always parses
	}
	return out
}

// readRevisions that the cache knows. Where it does not know the one that is asked for, it may be behind: then the API server says.
func (r *Reconciler) readRevisions(ctx context.Context, w *work) error {
	if err := r.listRevisions(ctx, w, r.cache); err != nil {
		return err
	}
	wanted := RevisionName(w.deployment.Name, w.deployment.Spec.Release)
	if back := w.deployment.Spec.RollbackTo; back != nil {
		wanted = back.Revision
	}
	if slices.ContainsFunc(w.revisions, func(stored *appsv1.ControllerRevision) bool { return stored.Name == wanted }) {
		return nil
	}
	return r.listRevisions(ctx, w, r.live)
}

func (r *Reconciler) listRevisions(ctx context.Context, w *work, from client.Reader) error {
	list := &appsv1.ControllerRevisionList{}
	err := from.List(ctx, list, client.InNamespace(w.deployment.Namespace), client.MatchingLabels{LabelDeployment: string(w.deployment.UID)})
	if err != nil {
		return fmt.Errorf("listing revisions: %w", err)
	}
	w.revisions = nil
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], w.deployment) {
			w.revisions = append(w.revisions, &list.Items[i])
		}
	}
	sorted(w.revisions)
	return nil
}

// release of a revision.
func (w *work) release(revision string) (*v1alpha1.Release, error) {
	var names []string
	for _, stored := range w.revisions {
		if stored.Name != revision {
			names = append(names, stored.Name)
			continue
		}
		out := &v1alpha1.Release{}
		if err := json.Unmarshal(stored.Data.Raw, out); err != nil {
			return nil, fmt.Errorf("reading revision %s: %w", revision, err)
		}
		return out, nil
	}
	return nil, fmt.Errorf("there is no revision %s; there is: %s", revision, strings.Join(names, ", "))
}

// ensureRevision puts the release that is asked for on record, before any server gets it.
func (r *Reconciler) ensureRevision(ctx context.Context, w *work) error {
	highest := int64(0)
	for _, stored := range w.revisions {
		if stored.Name == w.in.Revision {
			return nil
		}
		highest = max(highest, stored.Revision)
	}
	text, err := json.Marshal(w.in.Release)
	if err != nil {
		return fmt.Errorf("writing a revision: %w", err)
	}
	made := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.deployment.Namespace, Name: w.in.Revision, Labels: map[string]string{LabelDeployment: string(w.deployment.UID)},
		},
		Data: runtime.RawExtension{Raw: text}, Revision: highest + 1,
	}
	if err := controllerutil.SetControllerReference(w.deployment, made, r.writer.Scheme()); err != nil {
		return fmt.Errorf("writing a revision: %w", err)
	}
	if err := r.writer.Create(ctx, made); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("writing a revision: %w", err)
	}
	w.revisions = append(w.revisions, made)
	return nil
}

// prune the oldest revisions beyond the limit, none of those that are spoken of.
func (r *Reconciler) prune(ctx context.Context, w *work) error {
	if w.trouble != "" {
		return nil
	}
	spoken := map[string]bool{w.in.Revision: true, w.plan.Status.CurrentRevision: true, w.deployment.Status.CurrentRevision: true}
	over := len(w.revisions) - 1 - int(ptr.Deref(w.deployment.Spec.RevisionHistoryLimit, 10))
	for _, stored := range w.revisions {
		if over <= 0 {
			return nil
		}
		if spoken[stored.Name] {
			continue
		}
		if err := r.writer.Delete(ctx, stored); client.IgnoreNotFound(err) != nil {
			return err
		}
		over--
	}
	return nil
}
