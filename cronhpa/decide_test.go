package cronhpa

import (
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// TestWhatHasRunHasRun: a runOnce rule that fired stays finished whatever is edited, but for its own schedule.
func TestWhatHasRunHasRun(t *testing.T) {
	start := time.Date(2026, 5, 4, 8, 0, 0, 0, time.UTC)
	rule := v1alpha1.CronHPARule{Name: "once", Schedule: "* * * * *", TimeZone: "UTC", TargetReplicas: ptr.To[int32](4), RunOnce: true}
	for name, tc := range map[string]struct {
		edits []func(*v1alpha1.CronHPA)
		want  int
	}{
		"suspended and resumed": {want: 1, edits: []func(*v1alpha1.CronHPA){
			func(c *v1alpha1.CronHPA) { c.Spec.Suspend = true },
			func(c *v1alpha1.CronHPA) { c.Spec.Suspend = false },
		}},
		"the rule suspended and resumed": {want: 1, edits: []func(*v1alpha1.CronHPA){
			func(c *v1alpha1.CronHPA) { c.Spec.Rules[0].Suspend = true },
			func(c *v1alpha1.CronHPA) { c.Spec.Rules[0].Suspend = false },
		}},
		"a holiday more": {want: 1, edits: []func(*v1alpha1.CronHPA){
			func(c *v1alpha1.CronHPA) { c.Spec.Rules[0].ExcludeDates = []string{"12-25"} },
		}},
		"another number": {want: 1, edits: []func(*v1alpha1.CronHPA){
			func(c *v1alpha1.CronHPA) { c.Spec.Rules[0].TargetReplicas = ptr.To[int32](5) },
		}},
		"a status of an older version": {want: 1, edits: []func(*v1alpha1.CronHPA){
			func(c *v1alpha1.CronHPA) { c.Status.Rules[0].FinishedSchedule = "" },
			func(c *v1alpha1.CronHPA) { c.Spec.Suspend = true },
			func(c *v1alpha1.CronHPA) { c.Spec.Suspend = false },
		}},
		"another schedule is another order": {want: 2, edits: []func(*v1alpha1.CronHPA){
			func(c *v1alpha1.CronHPA) { c.Spec.Rules[0].Schedule = "*/2 * * * *" },
		}},
		"another zone is another order": {want: 2, edits: []func(*v1alpha1.CronHPA){
			func(c *v1alpha1.CronHPA) { c.Spec.Rules[0].TimeZone = "Asia/Shanghai" },
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l, now := newLife(start, *rule.DeepCopy()), start.Add(90*time.Second)
			l.reconcile(now, nil)
			for _, edit := range tc.edits {
				edit(l.cron)
				l.cron.Generation++
				now = now.Add(90 * time.Second)
				l.reconcile(now, nil)
			}
			for range 5 {
				now = now.Add(90 * time.Second)
				l.reconcile(now, nil)
			}
			if len(l.applied) != tc.want {
				t.Errorf("it fired %d times, want %d: %v", len(l.applied), tc.want, l.applied)
			}
			if status := l.cron.Status.Rules[0]; !status.Finished || status.NextRunTime != nil {
				t.Errorf("the rule's status does not say that it is finished: %+v", status)
			}
		})
	}
}
