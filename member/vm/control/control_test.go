package control

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestForget: who is gone is forgotten, whether its end was seen, was missed, or came while it was handled; and so is one that another
// came for under its name.
func TestForget(t *testing.T) {
	object := func(uid types.UID) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: uid}}
	}
	gone := apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, "web")
	known, forgotten := &Known{}, []string(nil)
	for i, step := range []struct {
		there  *corev1.ConfigMap
		handle error
		want   []string
	}{
		{},
		{there: object("a")},
		{there: object("a")},
		{want: []string{"a"}},
		{},
		{there: object("b")},
		{there: object("c"), want: []string{"b"}},
		{there: object("c"), handle: gone, want: []string{"c"}},
		{there: object("c")},
		{want: []string{"c"}},
	} {
		cache := fake.NewClientBuilder()
		if step.there != nil {
			cache.WithObjects(step.there)
		}
		forgotten = nil
		kind := Kind[*corev1.ConfigMap]{
			Cache: cache.Build(), New: func() *corev1.ConfigMap { return &corev1.ConfigMap{} }, Known: known,
			Handle: func(context.Context, *corev1.ConfigMap) (time.Time, error) { return time.Time{}, step.handle },
			Forget: func(uid types.UID) { forgotten = append(forgotten, fmt.Sprint(uid)) },
		}
		request := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: "shop", Name: "web"}}
		if _, err := kind.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, forgotten); diff != "" {
			t.Errorf("step %d: (-want +have)\n%s", i, diff)
		}
	}
	if len(known.uids) != 0 {
		t.Errorf("names are kept: %v", known.uids)
	}
}

// TestSpecs: what people write of a set, its end, and that it comes and goes concern its Servers; what is counted of them does not.
func TestSpecs(t *testing.T) {
	set := func(generation int64, ready int32) *v1alpha1.VMReplicaSet {
		out := &v1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: generation}}
		out.Status.ReadyReplicas = ready
		return out
	}
	tells := Specs()
	if tells.Update(event.UpdateEvent{ObjectOld: set(1, 0), ObjectNew: set(1, 1)}) {
		t.Error("told of a status")
	}
	if !tells.Update(event.UpdateEvent{ObjectOld: set(1, 1), ObjectNew: set(2, 1)}) {
		t.Error("not told of an edit, or of the end that a deletion begins with: both are a generation")
	}
	if !tells.Create(event.CreateEvent{Object: set(1, 0)}) || !tells.Delete(event.DeleteEvent{Object: set(1, 0)}) {
		t.Error("not told of one that comes or goes")
	}
}
