package decide

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// TestALeaderWhoseClockWasAhead: what it stamped keeps nobody waiting longer than a stamp of now would.
func TestALeaderWhoseClockWasAhead(t *testing.T) {
	spec := limits(2, 20)
	spec.Distribution = &api.Distribution{Clusters: []api.ClusterDistribution{{Name: "m3", Role: api.ClusterRoleStandby}}}
	for name, tc := range map[string]struct {
		before, after func(*model)
		want          func(*model) bool
	}{
		"the template follows": {
			before: func(m *model) { m.members["m1"].load = 3 },
			after:  func(m *model) { m.members["m1"].load = 4 },
			want:   func(m *model) bool { return m.template.Replicas == 6 && m.agree() == "" },
		},
		"a cluster near its limit is helped": {
			before: func(m *model) { m.members["m1"].load = 9 },
			after:  func(m *model) { m.members["m1"].load = 17 },
			want:   func(m *model) bool { return m.members["m1"].replicas >= 16 },
		},
		"our autoscaler comes back after another one": {
			before: func(m *model) { m.members["m1"].rival = 2 },
			after:  func(m *model) { m.members["m1"].rival = 0 },
			want:   func(m *model) bool { return m.members["m1"].hpa != nil },
		},
		"an overwrite is put right": {
			before: func(m *model) { m.schedule(4, Counts{"m1": 1, "m2": 3}) },
			after:  func(m *model) { m.schedule(4, Counts{"m1": 3, "m2": 1}) },
			want:   func(m *model) bool { return m.agree() == "" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel(spec, Counts{"m1": 2, "m2": 2})
			m.members["m3"] = &memberModel{ready: true, free: 50}
			mustSettle(t, m)
			tc.before(m)
			for range 60 {
				m.look()
			}
			m.now = m.now.Add(-6 * time.Hour)
			tc.after(m)
			for range 12 * 60 {
				m.look()
			}
			if !tc.want(m) {
				t.Errorf("twelve minutes after the clock was put right:\n%s\n%+v", m, m.status)
			}
		})
	}
}

// TestARebalanceOfTomorrow: one that a clock ahead of ours asked for does not divide at every look until then.
func TestARebalanceOfTomorrow(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 2, "m2": 2})
	mustSettle(t, m)
	m.binding.rescheduled, m.binding.scheduled = m.now.Add(time.Hour), m.now.Add(time.Hour)
	divisions := 0
	for range 60 {
		if m.look().Divided != "" {
			divisions++
		}
	}
	if divisions > 1 {
		t.Errorf("divided %d times in a minute", divisions)
	}
	for range 2 * 3600 / 30 {
		m.now = m.now.Add(30 * time.Second)
		if m.look().Divided == api.FedHPAReasonRescheduled {
			divisions++
		}
	}
	if divisions != 1 {
		t.Errorf("divided %d times in all, want once when the clock was there", divisions)
	}
}

// TestARebalanceOfTomorrowThatCannotBeFollowed: a member that does not rise holds the books up no longer for that.
func TestARebalanceOfTomorrowThatCannotBeFollowed(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 4, "m2": 2})
	mustSettle(t, m)
	m.members["m2"].held, m.members["m1"].held = true, true
	m.schedule(6, Counts{"m1": 3, "m2": 3})
	m.binding.rescheduled, m.binding.scheduled = m.now.Add(time.Hour), m.now.Add(time.Hour)
	m.members["m2"].held = false
	m.members["m2"].ill = true
	m.members["m2"].hpaWork.Max, m.members["m2"].hpa.Max = 2, 2
	for range 6 * 60 {
		m.look()
		m.members["m2"].replicas = 2
	}
	if m.status.LastRebalanceTime == nil {
		t.Errorf("the books still wait for it: %+v", m.status.Conditions)
	}
}

// TestReleaseByAnyClock: however far the clocks of leaders are from the API server's, and from each other, members that are on their way
// are waited for, and one that never comes to rest holds nothing up for long.
func TestReleaseByAnyClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clocks := rapid.SampledFrom([]time.Duration{0, -6 * time.Hour, -time.Hour, -40 * time.Second, 40 * time.Second, time.Hour, 6 * time.Hour})
		m := newModel(limits(2, 60), Counts{"m1": 20, "m2": 12})
		m.pull = true // a member that is read need not be waited for
		m.skew = clocks.Draw(t, "first leader")
		mustSettle(t, m)
		m.members["m1"].surge = 5 // for ever
		m.deleting, m.deletedAt = true, m.now
		change := time.Duration(-1)
		if rapid.Bool().Draw(t, "another leader") {
			change = time.Duration(rapid.IntRange(1, 90).Draw(t, "after")) * time.Second
		}
		for !m.gone {
			m.look()
			took := m.now.Sub(m.deletedAt)
			if took == change {
				m.skew = clocks.Draw(t, "second leader")
			}
			if m.gone && took < releasePatience && (change < 0 || took < change) {
				t.Fatalf("let go after %s of a member that was on its way\n%s", took, m)
			}
			if took > 5*time.Minute {
				t.Fatalf("not let go after %s: %+v", took, m.status.Conditions)
			}
		}
		if got := m.binding.clusters.String(); got != "m1=20,m2=12" {
			t.Fatalf("the books say %s", got)
		}
	})
}
