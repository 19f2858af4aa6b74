package cronhpa

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

func dayAndNight() (day, night v1alpha1.CronHPARule) {
	day = v1alpha1.CronHPARule{Name: "day", Schedule: "0 8 * * *", TimeZone: "UTC", TargetReplicas: ptr.To[int32](10)}
	night = v1alpha1.CronHPARule{Name: "night", Schedule: "0 22 * * *", TimeZone: "UTC", TargetReplicas: ptr.To[int32](2)}
	return day, night
}

// TestAtStart: a CronHPA made in mid-window applies the rule whose time it is, once.
func TestAtStart(t *testing.T) {
	made := time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC)
	const dayApplied = "0 at 2026-05-04 08:00:00 +0000 UTC"
	for name, tc := range map[string]struct {
		change func(*life)
		fails  int
		want   map[string]int
	}{
		"in force":  {want: map[string]int{dayApplied: 1}},
		"not asked": {change: func(l *life) { l.cron.Spec.ApplyAtStart = v1alpha1.CronHPAStartNone }, want: map[string]int{}},
		"it fails":  {fails: 3, want: map[string]int{dayApplied: 1}},
		"a deadline": {
			change: func(l *life) { l.cron.Spec.Rules[0].StartingDeadlineSeconds = ptr.To[int32](600) }, want: map[string]int{dayApplied: 1},
		},
		"past its deadline": {fails: 20, change: func(l *life) { l.cron.Spec.Rules[0].StartingDeadlineSeconds = ptr.To[int32](600) },
			want: map[string]int{}},
		"the rule is suspended": {change: func(l *life) { l.cron.Spec.Rules[0].Suspend = true },
			want: map[string]int{"1 at 2026-05-03 22:00:00 +0000 UTC": 1}},
		"all is suspended": {change: func(l *life) { l.cron.Spec.Suspend = true }, want: map[string]int{}},
		"a rule that runs once": {change: func(l *life) { l.cron.Spec.Rules[0].RunOnce = true },
			want: map[string]int{"1 at 2026-05-03 22:00:00 +0000 UTC": 1}},
		"an excluded day": {change: func(l *life) { l.cron.Spec.Rules[0].ExcludeDates = []string{"05-04"} },
			want: map[string]int{"1 at 2026-05-03 22:00:00 +0000 UTC": 1}},
		"once a year": {change: func(l *life) {
			l.cron.Spec.Rules = l.cron.Spec.Rules[:1]
			l.cron.Spec.Rules[0].Schedule = "30 12 4 5 *"
		},
			want: map[string]int{"0 at 2026-05-04 12:30:00 +0000 UTC": 1}},
		"the API server's clock is ahead": {
			change: func(l *life) { l.cron.CreationTimestamp.Time = made.Add(40 * time.Second) }, want: map[string]int{dayApplied: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			day, night := dayAndNight()
			l := newLife(made, day, night)
			l.cron.Spec.ApplyAtStart = v1alpha1.CronHPAStartInForce
			if tc.change != nil {
				tc.change(l)
			}
			now := made.Add(200 * time.Millisecond)
			for i := range 40 {
				var trouble *problem
				if i < tc.fails {
					trouble = &problem{v1alpha1.CronHPAReasonTargetNotFound, "no such target"}
				}
				l.reconcile(now, trouble)
				now = now.Add(time.Minute)
			}
			if diff := cmp.Diff(tc.want, l.applied); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
			if len(tc.want) > 0 && l.cron.Status.RuleInForce == "" {
				t.Error("no rule is in force")
			}
			edited := len(l.applied)
			l.cron.Spec.Rules[0].ExcludeDates, l.cron.Generation = []string{"12-25"}, 2
			l.reconcile(now, nil)
			if len(l.applied) != edited {
				t.Errorf("an edit fired again: %v", l.applied)
			}
		})
	}
}

func calendar(data string) Calendars {
	out := Calendars{}
	out.Add(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "holidays", Labels: map[string]string{v1alpha1.CronHPACalendarLabel: "true"}},
		Data:       map[string]string{"days": data},
	})
	return out
}

// TestCalendar: a rule stands still while the days of its calendar are unknown, handles what came due meanwhile inside its deadline, and
// goes by the days otherwise.
func TestCalendar(t *testing.T) {
	start := time.Date(2026, 5, 4, 7, 0, 0, 0, time.UTC)
	day, night := dayAndNight()
	day.ExcludeCalendarRef = &v1alpha1.CalendarReference{Name: "holidays"}
	day.StartingDeadlineSeconds = ptr.To[int32](3600)
	l := newLife(start, day, night)
	specValid := func() string {
		c := meta.FindStatusCondition(l.cron.Status.Conditions, v1alpha1.CronHPASpecValid)
		return string(c.Status) + " " + c.Reason
	}
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 5, day, hour, minute, 0, 0, time.UTC) }
	steps := []struct {
		what      string
		at        time.Time
		calendars Calendars
		valid     string
		want      string
	}{
		{"no calendar", at(4, 8, 0), nil, "False CalendarUnreadable", ""},
		{"it comes inside the deadline", at(4, 8, 30), calendar("05-05 a holiday"), "True SpecAccepted", "0 at 2026-05-04 08:00:00 +0000 UTC"},
		{"another rule does not heed it", at(4, 22, 0), calendar("05-05"), "True SpecAccepted", "1 at 2026-05-04 22:00:00 +0000 UTC"},
		{"the holiday", at(5, 8, 0), calendar("05-05"), "True SpecAccepted", ""},
		{"taken off too late to fire", at(5, 8, 10), calendar("# none"), "True SpecAccepted", ""},
		{"the other rule goes on", at(5, 22, 0), calendar("05-32"), "False CalendarUnreadable", "1 at 2026-05-05 22:00:00 +0000 UTC"},
		{"gone for two days, then there", at(8, 8, 1), calendar("# none"), "True SpecAccepted", "0 at 2026-05-08 08:00:00 +0000 UTC"},
	}
	for _, s := range steps {
		clear(l.applied)
		l.calendars = s.calendars
		l.reconcile(s.at, nil)
		want := map[string]int{}
		if s.want != "" {
			want[s.want] = 1
		}
		if diff := cmp.Diff(want, l.applied); diff != "" {
			t.Errorf("%s: applied (-want +got):\n%s", s.what, diff)
		}
		if got := specValid(); got != s.valid {
			t.Errorf("%s: SpecValid is %s, want %s", s.what, got, s.valid)
		}
	}
}

// TestCalendarAtStart: which rule is in force is not guessed while a calendar is on its way.
func TestCalendarAtStart(t *testing.T) {
	made := time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC)
	day, night := dayAndNight()
	day.ExcludeCalendarRef = &v1alpha1.CalendarReference{Name: "holidays"}
	l := newLife(made, day, night)
	l.cron.Spec.ApplyAtStart = v1alpha1.CronHPAStartInForce
	l.reconcile(made.Add(time.Second), nil)
	if len(l.applied) > 0 {
		t.Fatalf("applied %v while the calendar is not there", l.applied)
	}
	l.calendars = calendar("2026-05-04")
	l.reconcile(made.Add(2*time.Second), nil)
	l.reconcile(made.Add(3*time.Second), nil)
	if diff := cmp.Diff(map[string]int{"1 at 2026-05-03 22:00:00 +0000 UTC": 1}, l.applied); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

// TestCalendarsAreLabelled: a ConfigMap that nobody meant as a calendar is none.
func TestCalendarsAreLabelled(t *testing.T) {
	calendars := Calendars{}
	calendars.Add(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "holidays"}, Data: map[string]string{"days": "12-25"}})
	if _, err := calendars.days("holidays"); err == nil {
		t.Error("a ConfigMap without the label was read")
	}
}
