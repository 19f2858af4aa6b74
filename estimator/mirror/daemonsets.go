package mirror

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/dynamic"
	"k8s.io/klog/v2"
)

// advanced are OpenKruise's DaemonSets, newest version first. Their controller decides where they run by a port of the DaemonSet
// controller's own rules (nodeShouldRunDaemonPod in both), and makes their pods of the same fields.
var advanced = []schema.GroupVersionResource{
	{Group: "apps.kruise.io", Version: "v1beta1", Resource: "daemonsets"}, {
		Group: "apps.kruise.io", Version: "v1alpha1", Resource: "daemonsets",
	},
}

// advancedDaemonSets is the resource of them that the member serves and lets us list; none where it has no OpenKruise. A member that
// refuses them for good is mirrored without: what they are still to get is then not foreseen, which is said.
func advancedDaemonSets(ctx context.Context, client dynamic.Interface, served sets.Set[string]) (*schema.GroupVersionResource, error) {
	for i := range advanced {
		of := advanced[i]
		if !served.Has(of.GroupVersion().String() + "/" + of.Resource) {
			continue
		}
		_, err := client.Resource(of).List(ctx, metav1.ListOptions{Limit: 1})
		switch {
		case err == nil:
			return &of, nil
		case !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("listing OpenKruise's DaemonSets: %w", err)
		}
		klog.FromContext(ctx).Error(err, "Not foreseeing the pods of OpenKruise's DaemonSets", "reason", apierrors.ReasonForError(err))
		return nil, nil
	}
	return nil, nil
}

// watchDaemonSets registers the informer of them, and returns what it knows.
func (m *Member) watchDaemonSets(of schema.GroupVersionResource) (func() []*appsv1.DaemonSet, error) {
	informer := m.dynamic.ForResource(of).Informer()
	if err := informer.SetTransform(daemonSet); err != nil {
		return nil, fmt.Errorf("watching %s: %w", of, err)
	}
	store := informer.GetStore()
	return func() []*appsv1.DaemonSet {
		var found []*appsv1.DaemonSet
		for _, object := range store.List() {
			if set, ok := object.(*appsv1.DaemonSet); ok {
				found = append(found, set)
			}
		}
		return found
	}, nil
}

// daemonSet keeps what Kubernetes' DaemonSet has too. One that cannot be read as such is kept as it is, and foresees nothing.
func daemonSet(object any) (any, error) {
	from, ok := object.(*unstructured.Unstructured)
	if !ok {
		return object, nil
	}
	var set appsv1.DaemonSet
	read := map[string]any{"metadata": from.Object["metadata"]}
	spec, _, _ := unstructured.NestedMap(from.Object, "spec")
	read["spec"] = map[string]any{"selector": spec["selector"], "template": spec["template"]}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(read, &set); err != nil {
		klog.Background().Error(err, "Not foreseeing the pods of a DaemonSet", "reason", "Unreadable", "daemonSet",
			klog.KRef(from.GetNamespace(), from.GetName()))
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: from.GetNamespace(), Name: from.GetName(),
			ResourceVersion: from.GetResourceVersion()}}, nil
	}
	set.ManagedFields = nil
	return &set, nil
}
