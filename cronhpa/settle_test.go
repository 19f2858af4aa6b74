package cronhpa

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa/schedule"
)

// life is a CronHPA through time, without a cluster: what one reconcile writes the next one reads.
type life struct {
	cron      *v1alpha1.CronHPA
	calendars Calendars
	measures  *measures
	registry  *prometheus.Registry
	// applied counts how often each firing was applied.
	applied map[string]int
}

func newLife(start time.Time, rules ...v1alpha1.CronHPARule) *life {
	l := &life{
		cron: &v1alpha1.CronHPA{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", CreationTimestamp: metav1.Time{Time: start}, Generation: 1},
		},
		measures: newMeasures(newWakeups(nil)), registry: prometheus.NewRegistry(), applied: map[string]int{},
	}
	l.cron.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	l.cron.Spec.Rules = rules
	l.cron.Spec.SuccessfulHistoryLimit, l.cron.Spec.FailedHistoryLimit = ptr.To[int32](2), ptr.To[int32](1)
	l.registry.MustRegister(l.measures.firings)
	return l
}

// reconcile is Reconciler.handle without its reads and writes.
func (l *life) reconcile(now time.Time, trouble *problem) {
	d := decide(l.cron, l.calendars, now)
	var ended outcome
	if firing := d.plan.Apply; firing != nil {
		ended = outcome{tried: true, problem: trouble, replicas: d.rules[firing.Rule].spec.TargetReplicas}
		if trouble == nil {
			l.applied[fmt.Sprintf("%d at %s", firing.Rule, firing.At)]++
		}
	}
	seen := observation{cron: l.cron, now: now, target: target{seen: true}}
	status, _ := settle(seen, d, ended)
	if len(d.plan.Due) > 0 {
		l.measures.observe(d, ended, now)
	}
	l.cron.Status = status
}

// counted are the firings by how they ended.
func (l *life) counted(t *rapid.T) map[v1alpha1.FiringResult]int {
	families, err := l.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[v1alpha1.FiringResult]int{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			out[v1alpha1.FiringResult(m.GetLabel()[0].GetValue())] = int(m.GetCounter().GetValue())
		}
	}
	return out
}

// TestEveryFiringIsAccountedFor lets the controller look at random times, be away for hours, and fail at random. In the end
// each firing that came due was applied once, or counted as missed or superseded.
func TestEveryFiringIsAccountedFor(t *testing.T) {
	schedules := []string{"*/10 * * * *", "0 * * * *", "30 8 * * *", "15,45 */2 * * *", "0 0 * * 1"}
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC) // The clocks of Europe jump in the night after.
		var rules []v1alpha1.CronHPARule
		for i := range rapid.IntRange(1, 4).Draw(t, "rules") {
			rule := v1alpha1.CronHPARule{
				Name: fmt.Sprintf("r%d", i), Schedule: rapid.SampledFrom(schedules).Draw(t, "schedule"),
				TimeZone: rapid.SampledFrom([]string{"UTC", "Europe/Berlin"}).Draw(t, "zone"), TargetReplicas: ptr.To(int32(i)),
			}
			if rapid.Bool().Draw(t, "deadline") {
				rule.StartingDeadlineSeconds = ptr.To[int32](300)
			}
			rules = append(rules, rule)
		}
		l, now := newLife(start, rules...), start
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 10_000_000).Draw(t, "later")) * time.Millisecond)
			var trouble *problem
			if rapid.IntRange(0, 2).Draw(t, "fails") == 0 {
				trouble = &problem{v1alpha1.CronHPAReasonTargetNotFound, "no such target"}
			}
			l.reconcile(now, trouble)
		}
		l.reconcile(now, nil)

		due := 0
		for _, rule := range rules {
			table, err := schedule.Parse(schedule.Spec{Schedule: rule.Schedule, TimeZone: rule.TimeZone, ExcludeDates: rule.ExcludeDates})
			if err != nil {
				t.Fatal(err)
			}
			due += table.Count(start, now, 100_000)
		}
		counted := l.counted(t)
		if got := counted[v1alpha1.FiringApplied] + counted[v1alpha1.FiringMissed] + counted[v1alpha1.FiringSuperseded]; got != due {
			t.Fatalf("%d firings came due, %d are accounted for: %v", due, got, counted)
		}
		for firing, times := range l.applied {
			if times != 1 {
				t.Fatalf("rule %s was applied %d times", firing, times)
			}
		}
		if len(l.applied) != counted[v1alpha1.FiringApplied] {
			t.Fatalf("%d firings were applied, %d are counted so", len(l.applied), counted[v1alpha1.FiringApplied])
		}
		for _, rule := range l.cron.Status.Rules {
			kept := map[bool]int{}
			for _, firing := range rule.History {
				kept[firing.Result == v1alpha1.FiringApplied]++
			}
			if kept[true] > 2 || kept[false] > 1 {
				t.Fatalf("the history of %s is longer than its limits: %v", rule.Name, rule.History)
			}
			for i := 1; i < len(rule.History); i++ {
				if !rule.History[i].ScheduledTime.Before(&rule.History[i-1].ScheduledTime) {
					t.Fatalf("history of %s is not newest first, or names a firing twice: %v", rule.Name, rule.History)
				}
			}
		}
	})
}

// TestTheSameFailureAgain: another try of a firing that fails in the same way, but for the connection's own port, writes no status.
func TestTheSameFailureAgain(t *testing.T) {
	start := time.Date(2026, 5, 4, 8, 0, 0, 0, time.UTC)
	l := newLife(start, v1alpha1.CronHPARule{Name: "up", Schedule: "1 8 * * *", TimeZone: "UTC", TargetReplicas: ptr.To[int32](4)})
	failing := func(port string) *problem {
		return &problem{v1alpha1.CronHPAReasonFiringFailed,
			"karmada-apiserver could not set the target, which is tried again: read tcp 10.0.0.1:" + port + "->10.0.0.2:6443: i/o timeout"}
	}
	l.reconcile(start.Add(61*time.Second), failing("53422"))
	before := *l.cron.Status.DeepCopy()
	l.reconcile(start.Add(75*time.Second), failing("40118"))
	if diff := cmp.Diff(before, l.cron.Status); diff != "" {
		t.Errorf("the second try is news (-first +second):\n%s", diff)
	}
	quota := &problem{v1alpha1.CronHPAReasonFiringFailed, "karmada-apiserver refuses the target's new numbers: quota"}
	l.reconcile(start.Add(90*time.Second), quota)
	if cmp.Equal(before, l.cron.Status) {
		t.Error("another cause is no news")
	}
	l.reconcile(start.Add(100*time.Second), nil)
	if len(l.applied) != 1 || l.cron.Status.LastResult != v1alpha1.FiringApplied {
		t.Errorf("mended, it was not applied: %+v", l.cron.Status)
	}
}
