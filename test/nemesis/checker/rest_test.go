package checker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// TestUnsettled: things come to rest when all is as it is wanted, pods of the newest image too. A random seed had a canary that Karmada had
// not brought to a member yet, six seconds after that member answered again, and C4 took it for the end.
func TestUnsettled(t *testing.T) {
	until := func(alter func(*tale)) []string {
		g := golden()
		alter(g)
		g.Records = g.Records[:g.find(t, history.Key{}, isPhase(history.PhaseRest))]
		return Unsettled(g.History)
	}
	if left := until(func(*tale) {}); len(left) > 0 {
		t.Errorf("of a history in which all is right: %q", left)
	}
	left := until(func(g *tale) {
		i := g.find(t, history.Key{}, isPhase(history.PhaseCalm))
		g.insert(i, history.Record{Op: history.Delete, Key: in("member1", history.Pods, "new1")})
	})
	if diff := cmp.Diff([]string{"push: 0 pods of v2 at rest, and 1 are asked for"}, left); diff != "" {
		t.Errorf("without the new pod (-want +have)\n%s", diff)
	}
}
