package sets

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// checkOverlap says what is in the way of a set whose servers another has a claim on.
func (r *Reconciler) checkOverlap(ctx context.Context, w *work) error {
	if w.trouble != "" || w.set.DeletionTimestamp != nil {
		return nil
	}
	other, err := r.overlapping(ctx, w.set)
	if err != nil || other == nil {
		return err
	}
	w.reason, w.lookAt = v1alpha1.ReasonSelectorOverlap, w.now.Add(settingsMissing)
	w.trouble = fmt.Sprintf("its selector or its template's labels overlap with those of VMReplicaSet %s, which is older: give them labels "+
		"of their own", other.Name)
	return nil
}

// overlapping is the older set of the namespace whose servers this one selects too, or which selects this one's; nil: there is none. Two
// sets of which one selects the other's servers would be one to whoever selects by labels. The younger waits, for it came later.
func (r *Reconciler) overlapping(ctx context.Context, set *v1alpha1.VMReplicaSet) (*v1alpha1.VMReplicaSet, error) {
	list := &v1alpha1.VMReplicaSetList{}
	if err := r.cache.List(ctx, list, client.InNamespace(set.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing VMReplicaSets: %w", err)
	}
	for i := range list.Items {
		other := &list.Items[i]
		if other.UID == set.UID || other.DeletionTimestamp != nil || !older(other, set) {
			continue
		}
		if selects(other, set) || selects(set, other) {
			return other, nil
		}
	}
	return nil, nil
}

func older(a, b *v1alpha1.VMReplicaSet) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// selects says whether a set's selector matches the servers of another's template.
func selects(set, other *v1alpha1.VMReplicaSet) bool {
	match, err := metav1.LabelSelectorAsSelector(selector(set))
	if err != nil || match.Empty() {
		return false // what a schema lets through and nobody can read selects nobody
	}
	have := labels.Set{}
	for key, value := range other.Spec.Template.Metadata.Labels {
		have[key] = string(value)
	}
	return match.Matches(have)
}
