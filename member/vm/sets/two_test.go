package sets

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
)

// TestTwoLeaders: one stands still just before one of its writes while another is elected and does its work, and then goes on. Whichever
// write that is, there are as many Servers as asked, and never one more.
func TestTwoLeaders(t *testing.T) {
	for paused := range 6 {
		p := newPair(t)
		p.create(p.set)
		one, other := p.reconciler(), p.reconciler()
		writes := 0
		p.before = func() {
			if writes++; writes == paused+1 {
				p.before = func() {} // the other's writes
				p.look(other, 3)
			}
		}
		p.look(one, 3)
		if diff := cmp.Diff([]string{"web-1", "web-2", "web-3", "web-4"}, p.names()); diff != "" {
			t.Errorf("one of them stood still before write %d: Servers (-want +have)\n%s", paused+1, diff)
		}
		if p.made != 4 {
			t.Errorf("one of them stood still before write %d: %d Servers were ever made", paused+1, p.made)
		}
	}
}

// TestKilledBeforeServers: numbers that a leader put on record before it was killed are those that the next one makes, and another set's
// Server of such a name is passed over by each leader anew.
func TestKilledBeforeServers(t *testing.T) {
	p := newPair(t)
	p.set.Status.LastSlot, p.set.Status.UnmadeSlots = 9, []int64{6, 7, 9}
	p.create(p.set, &v1alpha1.Server{ObjectMeta: p.meta("web-7")})
	p.look(p.reconciler(), 4)
	if diff := cmp.Diff([]string{"web-10", "web-11", "web-6", "web-7", "web-9"}, p.names()); diff != "" {
		t.Errorf("Servers (-want +have)\n%s", diff)
	}
	p.look(p.reconciler(), 2)
	if err := p.api.Get(t.Context(), client.ObjectKeyFromObject(p.set), p.set); err != nil {
		t.Fatal(err)
	}
	if p.set.Status.LastSlot != 11 || len(p.set.Status.UnmadeSlots) != 0 {
		t.Errorf("on record: %d, not made: %v", p.set.Status.LastSlot, p.set.Status.UnmadeSlots)
	}
}

// pair is one API server, and what two leaders of it share.
type pair struct {
	*testing.T
	set *v1alpha1.VMReplicaSet
	api client.WithWatch
	// before each write, and how many Servers were made by one.
	before func()
	made   int
}

func newPair(t *testing.T) *pair {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	p := &pair{T: t, before: func() {}}
	p.set = &v1alpha1.VMReplicaSet{ObjectMeta: p.meta("web")}
	p.set.UID, p.set.Generation, p.set.Finalizers = "u", 1, []string{v1alpha1.FinalizerServers}
	p.set.Spec.Replicas = ptr.To[int32](4)
	p.set.Spec.Template.Spec.Machine.Driver = "http"
	inner := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(p.set, &v1alpha1.Server{}).Build()
	p.api = interceptor.NewClient(inner, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			p.before()
			err := c.Create(ctx, o, options...)
			if _, server := o.(*v1alpha1.Server); server && err == nil {
				p.made++
			}
			return err
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, o client.Object, patch client.Patch,
			options ...client.SubResourcePatchOption,
		) error {
			p.before()
			return c.SubResource(name).Patch(ctx, o, patch, options...)
		},
	})
	return p
}

func (p *pair) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name}
}

// create without being told of.
func (p *pair) create(objects ...client.Object) {
	p.Helper()
	for _, o := range objects {
		if err := p.api.Create(p.Context(), o); err != nil {
			p.Fatal(err)
		}
	}
	p.made = 0
}

func (p *pair) reconciler() *Reconciler {
	return New(Options{Drivers: []string{"http"}}, control.Means{
		Cache: p.api, Live: p.api, Writer: p.api, Recorder: record.NewFakeRecorder(100),
	})
}

// look so often; a write that came too late is tried again.
func (p *pair) look(r *Reconciler, times int) {
	p.Helper()
	for range times {
		_, err := r.Reconcile(p.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(p.set)})
		if err != nil && !apierrors.IsConflict(err) {
			p.Fatal(err)
		}
	}
}

func (p *pair) names() []string {
	p.Helper()
	list := &v1alpha1.ServerList{}
	if err := p.api.List(p.Context(), list); err != nil {
		p.Fatal(err)
	}
	var out []string
	for i := range list.Items {
		out = append(out, list.Items[i].Name)
	}
	slices.Sort(out)
	return out
}
