package component

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
	"github.com/argosy-dev/argosy/member/component/wave"
)

// Copies of templates, and of pods before a change that goes in steps, are ControllerRevisions in the program's namespace, named after
// their content.
//
// +kubebuilder:rbac:groups=apps,namespace=argosy-system,resources=controllerrevisions,verbs=get;list;watch;create;delete

// choose says which revision of the templates a Component is rendered from.
func (r *Reconciler) choose(
	ctx context.Context, component *v1alpha1.Component, templates []v1alpha1.ComponentTemplate, values render.Variables,
) (wave.Choice, error) {
	in := wave.Input{Component: component, Templates: templates, Values: values}
	if revision := component.Status.TemplateRevision; revision != nil {
		var err error
		if in.Kept, err = r.kept(ctx, revision.Name); err != nil {
			return wave.Choice{}, err
		}
	}
	return wave.Choose(in)
}

// kept reads the copy of a revision; nil where there is none.
func (r *Reconciler) kept(ctx context.Context, name string) (*wave.Revision, error) {
	out := &wave.Revision{}
	if found, err := r.copied(ctx, name, out); err != nil || !found {
		return nil, err
	}
	return out, nil
}

// copied reads a copy into what it is of; false where there is none.
func (r *Reconciler) copied(ctx context.Context, name string, into any) (bool, error) {
	object, key := &appsv1.ControllerRevision{}, client.ObjectKey{Namespace: r.namespace, Name: name}
	err := r.cache.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		// It may be younger than the cache.
		err = r.reader.Get(ctx, key, object)
	}
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading ControllerRevision %s: %w", name, err)
	}
	// Numbers are those of every other object.
	if err := utiljson.Unmarshal(object.Data.Raw, into); err != nil {
		return false, fmt.Errorf("reading ControllerRevision %s: %w", name, err)
	}
	return true, nil
}

// keepCopy makes a copy of what is rendered from afterwards, where it is not there yet.
func (r *Reconciler) keepCopy(ctx context.Context, name string, of any) error {
	raw, err := json.Marshal(of)
	if err != nil {
		return fmt.Errorf("writing ControllerRevision %s: %w", name, err)
	}
	object := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name, Labels: map[string]string{v1alpha1.LabelTemplateRevision: "true"}},
		Data:       runtime.RawExtension{Raw: raw},
	}
	err = r.cache.Get(ctx, client.ObjectKeyFromObject(object), &appsv1.ControllerRevision{})
	if err == nil {
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading ControllerRevision %s: %w", name, err)
	}
	if err := r.writer.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("keeping copy %s: %w", name, err)
	}
	return nil
}
