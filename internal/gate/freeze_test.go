package gate

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

func TestFrozen(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	start, end := metav1.NewTime(at("2026-12-23T00:00:00Z")), metav1.NewTime(at("2027-01-04T00:00:00Z"))
	windows := []v1alpha1.FreezeWindow{
		{Name: "new year", Start: &start, End: &end},
		{Name: "nights", Days: []v1alpha1.Weekday{"Friday"}, From: "18:00", To: "09:00", TimeZone: "Europe/Berlin"},
	}
	for name, tc := range map[string]struct {
		now   string
		want  string
		until string
	}{
		"an ordinary day":                 {now: "2026-06-02T12:00:00Z"},
		"in a single window":              {now: "2026-12-30T12:00:00Z", want: "new year", until: "2027-01-04T00:00:00Z"},
		"its end is outside":              {now: "2027-01-04T00:00:00Z"},
		"a repeating one begins":          {now: "2026-06-05T16:00:00Z", want: "nights", until: "2026-06-06T07:00:00Z"},
		"a minute before":                 {now: "2026-06-05T15:59:00Z"},
		"it goes on past midnight":        {now: "2026-06-06T06:59:00Z", want: "nights", until: "2026-06-06T07:00:00Z"},
		"and is over":                     {now: "2026-06-06T07:00:00Z"},
		"the longer of two":               {now: "2026-12-25T20:00:00Z", want: "new year", until: "2027-01-04T00:00:00Z"},
		"in winter the zone is UTC+1":     {now: "2026-11-06T17:30:00Z", want: "nights", until: "2026-11-07T08:00:00Z"},
		"the night the clocks go forward": {now: "2026-03-28T07:59:00Z", want: "nights", until: "2026-03-28T08:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			got, until, frozen := Frozen(windows, at(tc.now))
			if got != tc.want || frozen != (tc.want != "") || frozen && !until.Equal(at(tc.until)) {
				t.Errorf("frozen by %q until %s, want %q until %s", got, until, tc.want, tc.until)
			}
		})
	}
}

// A window nobody can read lets nothing through.
func TestUnreadableWindowFreezes(t *testing.T) {
	window := v1alpha1.FreezeWindow{Name: "x", Days: []v1alpha1.Weekday{"Monday"}, From: "18:00", To: "19:00", TimeZone: "Mars/North"}
	_, _, frozen := Frozen([]v1alpha1.FreezeWindow{window}, time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	if !frozen {
		t.Error("a window in an unknown zone let something through")
	}
	if err := CheckWindow(v1alpha1.FreezeWindow{TimeZone: "Mars/North"}); err == nil {
		t.Error("an unknown zone passes the check")
	}
}
