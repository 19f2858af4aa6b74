package component

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// errBehind says that the cache shows templates or values of before.
var errBehind = errors.New("the cache of templates and values is behind")

// today are the cluster's templates, which nobody changes, and its values; none where nobody gave any.
//
// A cache that has just begun may be that of an API server which is behind: a change that the process before this one brought out would be
// taken back, and brought out again. So the API server itself is asked, until once both are the same; a cache never goes back afterwards.
func (r *Reconciler) today(ctx context.Context) ([]v1alpha1.ComponentTemplate, render.Variables, error) {
	templates, values, err := laid(ctx, r.cache, r.namespace)
	if err != nil || r.current.Load() {
		return templates, values, err
	}
	stored, storedValues, err := laid(ctx, r.reader, r.namespace)
	if err != nil {
		return nil, nil, err
	}
	if !maps.Equal(versions(templates), versions(stored)) || !maps.Equal(values, storedValues) {
		return nil, nil, errBehind
	}
	r.current.Store(true)
	return templates, values, nil
}

// laid reads templates and values.
func laid(ctx context.Context, from client.Reader, namespace string) ([]v1alpha1.ComponentTemplate, render.Variables, error) {
	templates := &v1alpha1.ComponentTemplateList{}
	if err := from.List(ctx, templates, client.UnsafeDisableDeepCopy); err != nil {
		return nil, nil, fmt.Errorf("listing ComponentTemplates: %w", err)
	}
	values := &corev1.ConfigMap{}
	err := from.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.ClusterValuesName}, values)
	if client.IgnoreNotFound(err) != nil {
		return nil, nil, fmt.Errorf("reading ConfigMap %s/%s: %w", namespace, v1alpha1.ClusterValuesName, err)
	}
	return templates.Items, values.Data, nil
}

// versions of what templates say: their status is told by ourselves.
func versions(templates []v1alpha1.ComponentTemplate) map[types.UID]int64 {
	out := map[types.UID]int64{}
	for i := range templates {
		out[templates[i].UID] = templates[i].Generation
	}
	return out
}
