package template

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	discoveryfake "k8s.io/client-go/discovery/fake"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	testclock "k8s.io/utils/clock/testing"
)

// plane is a control plane whose reads can be made to fail.
type plane struct {
	*discoveryfake.FakeDiscovery
	err   error
	reads int
	// during happens while it lists its kinds.
	during func()
}

func (p *plane) ServerPreferredResources() ([]*metav1.APIResourceList, error) {
	p.reads++
	if p.during != nil {
		p.during()
	}
	return p.Resources, p.err
}

func TestResolver(t *testing.T) {
	resource := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{resource: "DeploymentList"},
		object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: shop, name: web}"))
	lists := []*metav1.APIResourceList{
		{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{{Name: "deployments", Kind: "Deployment", Namespaced: true}}},
	}
	kinds := &plane{FakeDiscovery: &discoveryfake.FakeDiscovery{Fake: &clienttesting.Fake{Resources: lists}}}
	clk := testclock.NewFakeClock(time.Unix(0, 0))
	r := NewResolver(client, kinds, clk)
	find := func(kind, name string) (int, error) {
		clk.Step(2 * keepFor)
		found, err := r.Find(t.Context(), Object{kind, "shop", name})
		return len(found), err
	}
	if found, err := find("Deployment", "web"); found != 1 || err != nil {
		t.Errorf("a workload: %d, %v", found, err)
	}
	if found, err := find("Deployment", "none"); found != 0 || err != nil {
		t.Errorf("a workload that is gone: %d, %v", found, err)
	}
	if _, err := find("Widget", "web"); !errors.Is(err, ErrNoKind) {
		t.Errorf("a kind that is not there: %v, want %v", err, ErrNoKind)
	}
	reads := kinds.reads
	if _, err := r.Find(t.Context(), Object{"Widget", "shop", "other"}); !errors.Is(err, ErrNoKind) || kinds.reads != reads {
		t.Errorf("asked again at once: %v, kinds read %d times more", err, kinds.reads-reads)
	}
	clk.Step(kindsFor)
	kinds.Resources = append(lists, &metav1.APIResourceList{
		GroupVersion: "example.com/v1", APIResources: []metav1.APIResource{{Name: "widgets", Kind: "Widget", Namespaced: true}},
	})
	if found, err := find("Widget", "web"); found != 0 || err != nil {
		t.Errorf("a kind that has come: %d, %v", found, err)
	}
	// A group that cannot be told may have the kind: not knowing is no "no such kind".
	clk.Step(kindsFor)
	kinds.err = &discovery.ErrGroupDiscoveryFailed{
		Groups: map[schema.GroupVersion]error{{Group: "broken.io", Version: "v1"}: errors.New("down")},
	}
	if _, err := find("Gadget", "web"); err == nil || errors.Is(err, ErrNoKind) || !strings.Contains(err.Error(), "broken.io") {
		t.Errorf("a kind that may be of a group that is down: %v", err)
	}
	// One that asks may give up; the read goes on for the others.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	clk.Step(2 * keepFor)
	if _, err := r.Find(ctx, Object{"Deployment", "shop", "web"}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if found, err := r.Find(t.Context(), Object{"Deployment", "shop", "web"}); len(found) != 1 || err != nil {
		t.Errorf("after another gave up: %d, %v", len(found), err)
	}
}

// TestAKnownKindWaitsForNobody: while the kinds are read for one that is not known, which takes as long as karmada-apiserver does,
// workloads of known kinds are read.
func TestAKnownKindWaitsForNobody(t *testing.T) {
	resource := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{resource: "DeploymentList"},
		object(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: shop, name: web}"))
	kinds := &plane{FakeDiscovery: &discoveryfake.FakeDiscovery{Fake: &clienttesting.Fake{Resources: []*metav1.APIResourceList{
		{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{{Name: "deployments", Kind: "Deployment", Namespaced: true}}},
	}}}}
	clk := testclock.NewFakeClock(time.Unix(0, 0))
	r := NewResolver(client, kinds, clk)
	web := func() {
		if found, err := r.Find(t.Context(), Object{"Deployment", "shop", "web"}); len(found) != 1 || err != nil {
			t.Errorf("a workload of a known kind: %d, %v", len(found), err)
		}
	}
	web()
	clk.Step(kindsFor)
	kinds.during = web
	if _, err := r.Find(t.Context(), Object{"Widget", "shop", "web"}); !errors.Is(err, ErrNoKind) || kinds.reads != 2 {
		t.Errorf("a kind that is not there: %v, kinds read %d times, want 2", err, kinds.reads)
	}
}

// A second kind of a name that was known before: OpenKruise's StatefulSet, installed while we run.
func TestKindOfTheSameNameComesLater(t *testing.T) {
	native := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}
	kruise := schema.GroupVersionResource{Group: "apps.kruise.io", Version: "v1beta1", Resource: "statefulsets"}
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		native: "StatefulSetList", kruise: "StatefulSetList",
	},
		object(t, "apiVersion: apps.kruise.io/v1beta1\nkind: StatefulSet\nmetadata: {namespace: shop, name: web}"))
	served := []metav1.APIResource{{Name: "statefulsets", Kind: "StatefulSet", Namespaced: true}}
	kinds := &plane{
		FakeDiscovery: &discoveryfake.FakeDiscovery{
			Fake: &clienttesting.Fake{Resources: []*metav1.APIResourceList{{GroupVersion: "apps/v1", APIResources: served}}},
		},
	}
	clk := testclock.NewFakeClock(time.Unix(0, 0))
	r := NewResolver(client, kinds, clk)
	if found, err := r.Find(t.Context(), Object{"StatefulSet", "shop", "web"}); len(found) != 0 || err != nil {
		t.Fatalf("%d, %v before the kind has come", len(found), err)
	}
	kinds.Resources = append(kinds.Resources, &metav1.APIResourceList{GroupVersion: "apps.kruise.io/v1beta1", APIResources: served})
	clk.Step(kindsFor)
	if found, err := r.Find(t.Context(), Object{"StatefulSet", "shop", "web"}); len(found) != 1 || err != nil {
		t.Errorf("%d, %v, want the one of the kind that has come", len(found), err)
	}
}
