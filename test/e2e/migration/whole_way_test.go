package migration

import (
	"testing"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/static"
)

// A Deployment and a CloneSet of 6 and 4 pods, with configuration that differs per cluster, come under
// federation with two approvals, and no pod notices.
func TestNobodyNotices(t *testing.T) {
	t.Parallel()
	web := static.App{
		Namespace: "shop", Name: "web", Kind: "Deployment", Image: "web:1", Replicas: map[string]int64{"member1": 6, "member2": 4},
	}
	cart := static.App{
		Namespace: "shop", Name: "cart", Kind: "CloneSet", Image: "cart:1", Replicas: map[string]int64{"member1": 6, "member2": 4},
	}
	s := newStory(t, web, cart)
	s.list(2, web, cart)
	for _, app := range s.apps {
		s.reach(app, v1alpha1.PhaseAwaitingApproval)
		if err := s.approve(app, "alice"); err != nil {
			t.Fatal(err)
		}
		if err := s.approve(app, "alice"); err == nil {
			t.Error("alice approved twice")
		}
		s.unchanged()
		if err := s.approve(app, "bob"); err != nil {
			t.Fatal(err)
		}
	}
	for _, app := range s.apps {
		migration := s.reach(app, v1alpha1.PhaseFederated)
		t.Log(describe(migration))
	}
	s.unchanged()
	s.namespaceIsNotPropagated(web)
	s.overrideReachesEveryCluster(web, cart)
	s.unchanged()
}
