package schedule

import "time"

// searchYears is how far ahead a firing is looked for. Leap days are at most eight years apart.
const searchYears = 10

// stretch is a span of one offset in a zone: [start, end). A zero start or end is unbounded.
type stretch struct {
	start, end time.Time
	offset     time.Duration
}

// stretchAt is the stretch that holds the instant.
func (t *Timetable) stretchAt(instant time.Time) stretch {
	local := instant.In(t.zone)
	start, end := local.ZoneBounds()
	_, seconds := local.Zone()
	return stretch{start: start, end: end, offset: time.Duration(seconds) * time.Second}
}

// before is the stretch that ends where s begins; ok is false for the first one.
func (t *Timetable) before(s stretch) (previous stretch, ok bool) {
	if s.start.IsZero() {
		return stretch{}, false
	}
	return t.stretchAt(s.start.Add(-time.Nanosecond)), true
}

// onWall is what the wall clock shows at the instant, written as a time in UTC.
func (s stretch) onWall(instant time.Time) time.Time { return instant.UTC().Add(s.offset) }

// instant is when the wall clock shows wall.
func (s stretch) instant(wall time.Time) time.Time { return wall.Add(-s.offset) }

// Next is the first firing after the instant; ok is false when there is none within ten years.
func (t *Timetable) Next(after time.Time) (firing time.Time, ok bool) {
	after = after.UTC()
	limit := after.AddDate(searchYears, 0, 0)
	for at := after; at.Before(limit); {
		s := t.stretchAt(at)
		firing, state := t.nextWithin(s, after)
		if state == found {
			return firing, true
		}
		if state == exhausted || s.end.IsZero() {
			return time.Time{}, false
		}
		// Every stretch is looked at, also when the calendar's next date lies far behind it: a fold shows wall times
		// again that the calendar has passed.
		at = s.end.UTC()
	}
	return time.Time{}, false
}

// search is how the search of one stretch ended.
type search int

const (
	// found a firing.
	found search = iota
	// beyond: the next one lies behind this stretch.
	beyond
	// exhausted: the calendar has none within ten years.
	exhausted
)

// nextWithin is the first firing of the stretch after the instant.
func (t *Timetable) nextWithin(s stretch, after time.Time) (time.Time, search) {
	previous, hasPrevious := t.before(s)
	from := s.onWall(after)
	if hasPrevious && s.start.After(after) {
		if t.firesAtGapEnd(previous, s) {
			return s.start.UTC(), found
		}
		from = s.onWall(s.start).Add(-time.Second)
	}
	for {
		wall := t.nextOnWall(from)
		if wall.IsZero() {
			return time.Time{}, exhausted
		}
		firing := s.instant(wall)
		if !s.end.IsZero() && !firing.Before(s.end) {
			return time.Time{}, beyond
		}
		if t.wildcard || !hasPrevious || !shownBefore(previous, s, wall) {
			return firing, found
		}
		from = wall
	}
}

// firesAtGapEnd is whether a wall time that fires is skipped between the two stretches.
func (t *Timetable) firesAtGapEnd(previous, s stretch) bool {
	if t.everyHour || s.offset <= previous.offset {
		return false
	}
	wall := t.nextOnWall(previous.onWall(s.start).Add(-time.Second))
	return !wall.IsZero() && wall.Before(s.onWall(s.start))
}

// Meant is where the firing belongs on the wall clock, as an instant: its own, or earlier by as much as the gap moved it. Of
// firings that a gap brings to one instant, "02:30 up" so comes before "03:00 down", as on every other day.
func (t *Timetable) Meant(firing time.Time) time.Time {
	s := t.stretchAt(firing)
	previous, ok := t.before(s)
	if !ok || !firing.Equal(s.start) || !t.firesAtGapEnd(previous, s) {
		return firing
	}
	end := s.onWall(s.start)
	meant := end
	for wall := t.nextOnWall(previous.onWall(s.start).Add(-time.Second)); !wall.IsZero() && !wall.After(end); wall = t.nextOnWall(wall) {
		meant = wall
	}
	return firing.Add(-end.Sub(meant))
}

// shownBefore is whether the wall clock showed this time already in the stretch before s.
func shownBefore(previous, s stretch, wall time.Time) bool {
	if !wall.Before(previous.onWall(s.start)) {
		return false
	}
	return previous.start.IsZero() || !wall.Before(previous.onWall(previous.start))
}

// nextOnWall is the first wall time after from that fires on a date that is not excluded; zero when there is none within
// ten years.
func (t *Timetable) nextOnWall(from time.Time) time.Time {
	limit := from.AddDate(searchYears, 0, 0)
	for from.Before(limit) {
		wall := t.wall.Next(from)
		if wall.IsZero() {
			// robfig looks five years ahead. A leap day can be eight away.
			from = from.AddDate(5, 0, 0)
			continue
		}
		if !t.isExcluded(wall) {
			return wall
		}
		from = wall.Truncate(24 * time.Hour).Add(24*time.Hour - time.Second)
	}
	return time.Time{}
}

func (t *Timetable) isExcluded(wall time.Time) bool {
	if len(t.excluded) == 0 {
		return false
	}
	date := wall.Format(time.DateOnly)
	return t.excluded[date] || t.excluded[date[len("2006-"):]]
}

// Latest is the last firing in (after, now]. It halves the span rather than walk it: an absence of years costs some twenty
// steps.
func (t *Timetable) Latest(after, now time.Time) (firing time.Time, ok bool) {
	for low, high := after, now; ; {
		next, exists := t.Next(low)
		if !exists || next.After(now) {
			return firing, ok
		}
		firing, ok = next, true
		low = next
		middle := low.Add(high.Sub(low) / 2)
		if further, exists := t.Next(middle); exists && !further.After(now) {
			firing, low = further, further
		} else {
			high = middle
		}
	}
}

// Count is the number of firings in (after, until], at most limit.
func (t *Timetable) Count(after, until time.Time, limit int) int {
	count := 0
	for ; count < limit; count++ {
		next, ok := t.Next(after)
		if !ok || next.After(until) {
			break
		}
		after = next
	}
	return count
}
