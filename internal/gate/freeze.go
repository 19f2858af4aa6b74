package gate

import (
	"fmt"
	"time"
	_ "time/tzdata" // zones must not depend on what the host has installed

	"github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// Frozen says whether a freeze window is open, which one, and until when. A window whose zone or time of
// day cannot be read counts as open: admission refuses such, and a doubt must not let anything through.
func Frozen(windows []v1alpha1.FreezeWindow, now time.Time) (name string, until time.Time, frozen bool) {
	for i := range windows {
		if end, in := within(&windows[i], now); in && (!frozen || end.After(until)) {
			name, until, frozen = windows[i].Name, end, true
		}
	}
	return name, until, frozen
}

// CheckWindow says what is wrong with a window beyond what the schema can tell.
func CheckWindow(window v1alpha1.FreezeWindow) error {
	if _, err := time.LoadLocation(window.TimeZone); err != nil {
		return fmt.Errorf("timeZone %q is not in the IANA database; use a name such as Europe/Berlin", window.TimeZone)
	}
	return nil
}

func within(window *v1alpha1.FreezeWindow, now time.Time) (time.Time, bool) {
	if window.Start != nil && window.End != nil {
		return window.End.Time, !now.Before(window.Start.Time) && now.Before(window.End.Time)
	}
	zone, err := time.LoadLocation(window.TimeZone)
	if err != nil {
		return now.Add(time.Hour), true
	}
	from, errFrom := time.Parse("15:04", window.From)
	to, errTo := time.Parse("15:04", window.To)
	if errFrom != nil || errTo != nil {
		return now.Add(time.Hour), true
	}
	local := now.In(zone)
	// A window may have begun yesterday.
	for _, back := range []int{0, 1} {
		day := local.AddDate(0, 0, -back)
		if !onDay(window.Days, day.Weekday()) {
			continue
		}
		start := time.Date(day.Year(), day.Month(), day.Day(), from.Hour(), from.Minute(), 0, 0, zone)
		end := time.Date(day.Year(), day.Month(), day.Day(), to.Hour(), to.Minute(), 0, 0, zone)
		if !end.After(start) {
			end = time.Date(day.Year(), day.Month(), day.Day()+1, to.Hour(), to.Minute(), 0, 0, zone)
		}
		if !now.Before(start) && now.Before(end) {
			return end, true
		}
	}
	return time.Time{}, false
}

func onDay(days []v1alpha1.Weekday, day time.Weekday) bool {
	for _, name := range days {
		if string(name) == day.String() {
			return true
		}
	}
	return false
}
