package template

import (
	"errors"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	discoveryfake "k8s.io/client-go/discovery/fake"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
	testclock "k8s.io/utils/clock/testing"
)

// reads is a control plane whose reads are counted, and can be made to fail or to wait.
type reads struct {
	*Resolver
	clock *testclock.FakeClock
	count int
	err   error
}

func newReads(t *testing.T, workloads ...string) *reads {
	t.Helper()
	resource := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{resource: "DeploymentList"})
	for _, text := range workloads {
		if err := client.Tracker().Create(resource, object(t, text), "shop"); err != nil {
			t.Fatal(err)
		}
	}
	kinds := &plane{FakeDiscovery: &discoveryfake.FakeDiscovery{Fake: &clienttesting.Fake{Resources: []*metav1.APIResourceList{
		{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{{Name: "deployments", Kind: "Deployment", Namespaced: true}}}}}}}
	r := &reads{clock: testclock.NewFakeClock(time.Unix(0, 0))}
	client.PrependReactor("get", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
		r.count++
		return r.err != nil, nil, r.err
	})
	r.Resolver = NewResolver(client, kinds, r.clock)
	return r
}

const webAt10 = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: shop, name: web, uid: a, resourceVersion: \"10\"}"

// TestABindingSaysWhetherToReadAgain: karmada-scheduler asks about what a binding names, so what is that new need not be read again, for a
// minute; and what cannot be read now is served as it was, and said.
func TestABindingSaysWhetherToReadAgain(t *testing.T) {
	binding := func(uid, version string) []workv1alpha2.ObjectReference {
		return []workv1alpha2.ObjectReference{{Kind: "Deployment", Namespace: "shop", Name: "web", UID: types.UID(uid), ResourceVersion: version}}
	}
	down := errors.New("down")
	for name, tc := range map[string]struct {
		placed []workv1alpha2.ObjectReference
		after  time.Duration
		err    error
		reads  int
		served bool
	}{
		"no binding, within a second":            {nil, keepFor, nil, 0, true},
		"no binding, later":                      {nil, 2 * keepFor, nil, 1, true},
		"no binding, and it is down":             {nil, 2 * keepFor, down, 1, false},
		"the binding's version":                  {binding("a", "10"), placedFor, nil, 0, true},
		"older than what was read":               {binding("a", "9"), placedFor, nil, 0, true},
		"a newer version":                        {binding("a", "11"), 2 * keepFor, nil, 1, true},
		"a newer version of more digits":         {binding("a", "100"), 2 * keepFor, nil, 1, true},
		"a newer version, and it is down":        {binding("a", "11"), 2 * keepFor, down, 1, false},
		"made again under the name":              {binding("b", "9"), 2 * keepFor, nil, 1, true},
		"a version that cannot be compared":      {binding("a", "ten"), 2 * keepFor, nil, 1, true},
		"two bindings, one of another group":     {append(binding("a", "10"), binding("c", "3")...), 2 * keepFor, nil, 1, true},
		"the binding's version, for over long":   {binding("a", "10"), placedFor + 1, nil, 1, true},
		"the binding's version, and it is down":  {binding("a", "10"), time.Hour, down, 1, true},
		"down, when a read is wanted by nothing": {binding("a", "10"), placedFor, down, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReads(t, webAt10)
			r.Placed = func(o Object) []workv1alpha2.ObjectReference {
				if o != (Object{"Deployment", "shop", "web"}) {
					t.Errorf("asked about %v", o)
				}
				return tc.placed
			}
			find := func() (int, error) {
				found, err := r.Find(t.Context(), Object{"Deployment", "shop", "web"})
				return len(found), err
			}
			if found, err := find(); found != 1 || err != nil {
				t.Fatalf("at first: %d, %v", found, err)
			}
			r.count, r.err = 0, tc.err
			r.clock.Step(tc.after)
			found, err := find()
			if wanted := tc.err != nil && tc.reads > 0; r.count != tc.reads || (found == 1) != tc.served || errors.Is(err, down) != wanted {
				t.Errorf("read %d times, found %d, %v; want %d times, served %v, said %v", r.count, found, err, tc.reads, tc.served, wanted)
			}
			if !tc.served || tc.reads == 0 {
				return
			}
			// A failure does not make forget.
			r.clock.Step(2 * keepFor)
			if found, _ := find(); found != 1 {
				t.Errorf("and once more: %d", found)
			}
		})
	}
}
