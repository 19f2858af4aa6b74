package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestTheWallClockDecidesAtTheEndOfAGap: "02:30 up, 03:00 down" ends down on the day without 02:30 as on every other, in whatever
// order the two are listed.
func TestTheWallClockDecidesAtTheEndOfAGap(t *testing.T) {
	gapEnd := time.Date(2027, 3, 14, 7, 0, 0, 0, time.UTC)
	const up, down, early, both, utc = "30 2 * * *", "0 3 * * *", "15 2 * * *", "0,30 2,3 * * *", "0 7 * * *"
	for name, tc := range map[string]struct {
		schedules []string
		zones     []string
		want      int
	}{
		"down is listed first":                 {schedules: []string{down, up}, want: 0},
		"down is listed last":                  {schedules: []string{up, down}, want: 1},
		"both skipped":                         {schedules: []string{up, early}, want: 0},
		"one is due at both times":             {schedules: []string{both, up}, want: 0},
		"equal on the wall: the list decides":  {schedules: []string{both, down}, want: 1},
		"due there in a zone that has no gap":  {schedules: []string{utc, up}, zones: []string{"UTC", "America/New_York"}, want: 0},
		"a zone without a gap does not matter": {schedules: []string{down, utc}, zones: []string{"America/New_York", "UTC"}, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var rules []Rule
			for i, schedule := range tc.schedules {
				zone := "America/New_York"
				if tc.zones != nil {
					zone = tc.zones[i]
				}
				rules = append(rules, Rule{
					Timetable: mustParse(t, Spec{Schedule: schedule, TimeZone: zone}), HandledUntil: gapEnd.Add(-30 * time.Minute),
				})
			}
			plan := MakePlan(rules, gapEnd)
			if diff := cmp.Diff(&Firing{tc.want, gapEnd}, plan.Apply); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
			want := []Passed{{1 - tc.want, gapEnd, 1, Superseded}}
			if diff := cmp.Diff(want, plan.Passed, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("passed over (-want +got):\n%s", diff)
			}
		})
	}
}
