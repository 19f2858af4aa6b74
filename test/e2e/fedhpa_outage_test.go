package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// TestFedHPAThroughOutages leads one workload under load through all that can be taken away from it: the truth of its template, the
// control plane, a member. It loses no replica, and the books are true when each is over.
func TestFedHPAThroughOutages(t *testing.T) {
	a := newAutoscaled(t)
	// member2 has what keeps two replicas busy: its own autoscaler has no reason to move.
	a.load("member2", 100)
	a.load("member1", busy)
	a.rests("member1=8 member2=2")
	a.g.Eventually(a.books, soon, "200ms").Should(Equal("member1=8 member2=2"))
	a.wrongCountsPushed()
	a.controlPlaneAway()
	a.memberStopped()
}

// wrongCountsPushed: the template is pushed with wrong counts the whole time, with the binding webhook and without it; no member loses
// a replica, and the books are true in the end.
func (a autoscaled) wrongCountsPushed() {
	t := a.t
	t.Cleanup(func() {
		if err := a.lab.UseArgosy(context.Background()); err != nil {
			t.Errorf("registering argosy-webhook again: %v", err)
		}
	})
	for _, side := range []struct {
		name    string
		prepare func(context.Context) error
	}{
		{"with the binding webhook", func(context.Context) error { return nil }},
		{"without it", a.lab.UseStock},
	} {
		a.g.Expect(side.prepare(t.Context())).To(Succeed())
		one, two := a.falls("member1"), a.falls("member2")
		pushes := 0
		asked := a.askedFor("member1", "member2")
		a.g.Consistently(func() (string, error) {
			pushes++
			a.push(3 + pushes%25)
			return asked()
		}, "10s", "150ms").Should(Equal("member1=8 member2=2"), side.name)
		if n := one() + two(); n != 0 {
			t.Errorf("%s: members lost replicas %d times in %d pushes, want 0", side.name, n, pushes)
		}
		a.g.Eventually(a.books, soon, "200ms").Should(Equal("member1=8 member2=2"), side.name)
		fed, err := a.fed()
		a.g.Expect(err).NotTo(HaveOccurred())
		t.Logf("%s: %d pushes, 0 replicas lost, scheduling result overwritten and put right %d times", side.name, pushes, fed.Status.Overwrites)
	}
	a.g.Expect(a.lab.UseArgosy(t.Context())).To(Succeed())
}

// away is how long the control plane stands still: longer than any lease lasts that is kept there, Karmada's of a member among them (40 s).
const away = time.Minute

// controlPlaneAway: all of Karmada, its API server too, and all of Argosy stand still. Members scale meanwhile, and the books agree soon
// after.
func (a autoscaled) controlPlaneAway() {
	t := a.t
	planes := []string{"argosy", "karmada"}
	for _, name := range planes {
		a.g.Expect(a.lab.Stop(t.Context(), name)).To(Succeed())
		t.Cleanup(func() {
			if err := a.lab.Start(context.Background(), name); err != nil {
				t.Errorf("starting %s: %v", name, err)
			}
		})
	}
	since := clock.RealClock{}.Now()
	a.load("member2", 300)
	a.rests("member1=8 member2=6") // the member scales by itself
	_, err := a.fed()
	a.g.Expect(err).To(HaveOccurred(), "nobody keeps the books")
	a.g.Eventually(func() time.Duration { return clock.RealClock{}.Since(since) }, "4m", "1s").Should(BeNumerically(">=", away))
	one, two := a.falls("member1"), a.falls("member2")
	for _, name := range slices.Backward(planes) {
		a.g.Expect(a.lab.Start(t.Context(), name)).To(Succeed())
	}
	a.g.Eventually(a.books, slow, "200ms").Should(Equal("member1=8 member2=6"), "the books catch up")
	if n := one() + two(); n != 0 {
		t.Errorf("members lost replicas %d times when the control plane came back, want 0", n)
	}
	a.g.Eventually(a.conditions, slow, "500ms").Should(Equal(allTrue))
}

// memberStopped: a member that cannot be asked keeps its count in the books and its part of the limits; another gets no more than what is
// left.
func (a autoscaled) memberStopped() {
	t := a.t
	a.g.Expect(a.lab.Stop(t.Context(), "member2")).To(Succeed())
	t.Cleanup(func() {
		if err := a.lab.Start(context.Background(), "member2"); err != nil {
			t.Errorf("starting member2: %v", err)
		}
	})
	var reserved int32
	state := func() (string, error) {
		fed, err := a.fed()
		if err != nil {
			return "", err
		}
		for _, c := range fed.Status.Clusters {
			if c.Name == "member2" {
				reserved = c.MaxReplicas
				return fmt.Sprintf("%s runs %d: %s", c.State, c.CurrentReplicas, c.Message), nil
			}
		}
		return "not there", nil
	}
	a.g.Eventually(state, slow, "500ms").Should(MatchRegexp(`^Unreachable runs 6: member2 is unreachable, keeps its last \d+\.\.\d+$`))
	a.g.Eventually(func() (string, error) { return a.condition(api.FedHPAMembersScaling) }, slow, "500ms").
		Should(HavePrefix("Unknown MemberUnreachable: member2 cannot be reached: its autoscaler goes on, its last limits stay reserved"))
	a.g.Expect(a.explain()).To(MatchRegexp(`member2 is unreachable, keeps its last \d+\.\.\d+`))
	a.load("member1", 1000)
	full := fmt.Sprintf("member1=%d", 20-reserved)
	a.g.Eventually(a.members, slow, "500ms").Should(Equal(full), "all but what is reserved")
	a.g.Consistently(a.askedFor("member1"), "10s", "250ms").Should(Equal(full))
	a.g.Eventually(a.books, soon, "200ms").Should(Equal(full+" member2=6"), "unknown is not zero")
	a.g.Expect(a.lab.Start(t.Context(), "member2")).To(Succeed())
	a.g.Eventually(a.members, slow, "500ms").Should(ContainSubstring("member2=6"), "its replicas were never touched")
	a.g.Eventually(a.conditions, slow, "500ms").Should(Equal(allTrue))
}

// askedFor is what the members ask for, once these have answered.
func (a autoscaled) askedFor(names ...string) func() (string, error) {
	return answered(a.t, func() (string, error) {
		seen := a.members()
		for _, name := range names {
			if !strings.Contains(seen, name+"=") {
				return "", fmt.Errorf("%s does not answer", name)
			}
		}
		return seen, nil
	})
}
