package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// agent of a cluster in pull mode: it works from what it saw of the control plane last.
type agent struct {
	away  bool
	since time.Time
	seen  map[Ref]*Work
	// missing is true once Karmada has found that the agent is away.
	missing bool
}

// see the Works, unless the agent is away.
func (a *agent) see(works map[Ref]*Work) map[Ref]*Work {
	if !a.away {
		a.seen = map[Ref]*Work{}
		for ref, work := range works {
			copied := *work
			a.seen[ref] = &copied
		}
		return works
	}
	return a.seen
}

func (a *agent) leave(now time.Time) { a.away, a.since = true, now }

// notice is Karmada finding out, 40 s later, that an agent is away, and at once that it is back.
func (m *member) notice(now time.Time) {
	switch {
	case m.agent == nil:
	case m.agent.away && !m.agent.missing && now.Sub(m.agent.since) > 40*time.Second:
		m.agent.missing, m.ready, m.since = true, false, now
	case !m.agent.away && m.agent.missing:
		m.agent.missing, m.ready, m.since = false, true, now
	}
}

// notCutOff: the static path stays shut, and the record says whose word is missing.
func (f *federation) notCutOff() {
	f.t.Helper()
	if f.status.Phase != v1alpha1.PhaseCuttingOff || f.status.Management != v1alpha1.ManagementChanging {
		f.t.Fatalf("%s, managed: %s while an agent is away", f.status.Phase, f.status.Management)
	}
	if message := f.advancing().Message; !strings.Contains(message, "karmada-agent has not confirmed yet") ||
		!strings.Contains(message, "kubectl get cluster b") {
		f.t.Fatalf("says %q", message)
	}
}

// TestAgentIsAwayDuringTheCutOff: it goes on enforcing what it last saw, so nobody releases statically before it has answered.
func TestAgentIsAwayDuringTheCutOff(t *testing.T) {
	f := newFederation(t)
	f.members["b"].agent = &agent{}
	f.settle(v1alpha1.PhaseFederated)
	f.members["b"].agent.leave(f.now)
	f.entry = nil
	f.run(3)
	f.notCutOff()
	if f.status.Blocked != "" {
		t.Errorf("blocked by %s at once", f.status.Blocked)
	}
	f.run(40)
	f.notCutOff()
	if f.status.Blocked != v1alpha1.ReasonAwaitingKarmada {
		t.Errorf("blocked by %q, want %s", f.status.Blocked, v1alpha1.ReasonAwaitingKarmada)
	}
	f.members["b"].agent.away = false
	f.settle(v1alpha1.PhaseCutOff)
}

// TestAgentLeavesAnOldWord: the agent may have seen the opening of its cluster, and have been cut off before it could say so. Its
// Works bear the word of the suspension before; that is none for this one.
func TestAgentLeavesAnOldWord(t *testing.T) {
	// The agent of b sees the opening and reaches the member, but never the control plane again.
	opening := func(t *testing.T) *federation {
		f := newFederation(t)
		f.members["b"].agent = &agent{}
		for range 100 {
			f.step(-1)
			for _, reaction := range reactions {
				if work := f.works["b"][f.app]; reaction.name == "execution" && work != nil && work.Manifest != nil && !work.Suspended {
					f.members["b"].agent.see(f.works["b"])
					f.members["b"].agent.leave(f.now)
				}
				reaction.run(f)
			}
			f.now = f.now.Add(15 * time.Second)
			if f.members["b"].agent.away {
				f.entry = nil
				f.run(4)
				f.notCutOff()
				return f
			}
		}
		t.Fatalf("cluster b is not opened: %+v", f.status.Clusters)
		return nil
	}
	t.Run("and stays away", func(t *testing.T) {
		f := opening(t)
		f.run(40)
		f.notCutOff()
		f.members["b"].agent.away = false
		f.settle(v1alpha1.PhaseCutOff)
	})
	t.Run("and is seen for a moment", func(t *testing.T) {
		// It reports its cluster Ready, and its watches are still on their way.
		f := opening(t)
		f.run(40)
		f.members["b"].ready, f.members["b"].since = true, f.now
		f.run(4)
		f.notCutOff()
	})
	t.Run("though it never saw the opening", func(t *testing.T) {
		f := opening(t)
		f.members["b"].agent = &agent{}
		f.members["b"].ready, f.members["b"].since = true, f.now
		before := f.now
		f.settle(v1alpha1.PhaseCutOff)
		if took := f.now.Sub(before); took > 4*time.Minute {
			t.Errorf("cut off only after %s", took)
		}
	})
}
