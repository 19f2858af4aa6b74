package schedule

import (
	"fmt"
	"time"
)

// Note tells a person what daylight saving does to this firing; empty for an ordinary one.
func (t *Timetable) Note(firing time.Time) string {
	s := t.stretchAt(firing)
	previous, ok := t.before(s)
	if !ok || s.offset == previous.offset {
		return t.noteAhead(s, firing)
	}
	if s.offset > previous.offset && firing.Equal(s.start) && t.firesAtGapEnd(previous, s) {
		return fmt.Sprintf("%s to %s does not exist on this day: fires at the end of the gap",
			previous.onWall(s.start).Format("15:04"), s.onWall(s.start).Format("15:04"))
	}
	if s.offset < previous.offset && shownBefore(previous, s, s.onWall(firing)) {
		return "this hour comes twice: second time, because the expression has a wildcard"
	}
	return t.noteAhead(s, firing)
}

// noteAhead marks the first pass of a fold that ends the stretch.
func (t *Timetable) noteAhead(s stretch, firing time.Time) string {
	if s.end.IsZero() {
		return ""
	}
	following := t.stretchAt(s.end)
	if following.offset >= s.offset || s.onWall(firing).Before(following.onWall(s.end)) {
		return ""
	}
	if t.wildcard {
		return "this hour comes twice: first time"
	}
	return "this time comes twice on this day: fires the first time only"
}
