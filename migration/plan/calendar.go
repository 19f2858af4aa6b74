package plan

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // zones must not depend on what the host has installed

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
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

// Approvers of a plan: different people who approved exactly it, after since. Without user and time an
// approval did not pass admission and counts for nothing.
func Approvers(approvals []v1alpha1.Approval, hash string, since time.Time) []string {
	seen := map[string]bool{}
	for _, approval := range approvals {
		if approval.Decision != v1alpha1.DecisionReject && counts(approval, hash, since) {
			seen[approval.User] = true
		}
	}
	return sortedKeys(seen)
}

// Rejections of a plan that count, as approvals do.
func Rejections(approvals []v1alpha1.Approval, hash string, since time.Time) []v1alpha1.Approval {
	var out []v1alpha1.Approval
	for _, approval := range approvals {
		if approval.Decision == v1alpha1.DecisionReject && counts(approval, hash, since) {
			out = append(out, approval)
		}
	}
	return out
}

func counts(approval v1alpha1.Approval, hash string, since time.Time) bool {
	return hash != "" && approval.PlanHash == hash && approval.User != "" && approval.Time != nil && approval.Time.After(since)
}

// Released says whether the application was released since it was last under federation: what trigger
// OnRelease waits for.
func Released(spec v1alpha1.MigrationSpec, status v1alpha1.MigrationStatus) bool {
	return spec.ReleasedTime != nil && spec.ReleasedTime.After(ApprovalsSince(status))
}

// ApprovalsSince is when approvals begin to count: what was approved before the last cut-off was another
// attempt, even when its plan reads the same.
func ApprovalsSince(status v1alpha1.MigrationStatus) time.Time {
	for _, entry := range slices.Backward(status.History) {
		if entry.Phase == v1alpha1.PhaseCuttingOff {
			return entry.Time.Time
		}
	}
	return time.Time{}
}
