package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Spec is a timetable as written.
type Spec struct {
	// Schedule is a cron expression of five fields or a descriptor such as @daily.
	Schedule string
	// TimeZone is an IANA name; empty is UTC.
	TimeZone string
	// ExcludeDates are 2006-01-02 (one day) or 01-02 (every year).
	ExcludeDates []string
}

// FieldError says which field of a Spec cannot be read, and what would do.
type FieldError struct {
	// Field is the JSON name: schedule, timeZone, excludeDates.
	Field string
	// Index within excludeDates; -1 for the other fields.
	Index  int
	Value  string
	Reason string
}

func (e *FieldError) Error() string {
	if e.Index >= 0 {
		return fmt.Sprintf("%s[%d]: %q: %s", e.Field, e.Index, e.Value, e.Reason)
	}
	return fmt.Sprintf("%s: %q: %s", e.Field, e.Value, e.Reason)
}

// Timetable knows every instant at which one rule fires.
type Timetable struct {
	// wall steps through the calendar on a clock that knows no daylight saving: its Location is UTC.
	wall *cron.SpecSchedule
	zone *time.Location
	// everyHour: the hour field is all 24, so the hours follow elapsed time through a gap.
	everyHour bool
	// wildcard: the minute or the hour is one, so the fold's second pass fires as well.
	wildcard bool
	// excluded holds dates of both forms of Spec.ExcludeDates.
	excluded map[string]bool
}

// Parse reads a timetable. Its errors are *FieldError.
func Parse(spec Spec) (*Timetable, error) {
	wall, err := parseSchedule(spec.Schedule)
	if err != nil {
		return nil, &FieldError{Field: "schedule", Index: -1, Value: spec.Schedule, Reason: err.Error()}
	}
	zone, err := parseZone(spec.TimeZone)
	if err != nil {
		return nil, &FieldError{Field: "timeZone", Index: -1, Value: spec.TimeZone, Reason: err.Error()}
	}
	table := &Timetable{wall: wall, zone: zone}
	if len(spec.ExcludeDates) > 0 {
		table.excluded = make(map[string]bool, len(spec.ExcludeDates))
	}
	for i, date := range spec.ExcludeDates {
		if !validDate(date) {
			return nil, &FieldError{
				Field: "excludeDates", Index: i, Value: date, Reason: "no such day: want 2026-12-25 for one day, or 12-25 for every year",
			}
		}
		table.excluded[date] = true
	}
	const allMinutes, allHours = 1<<60 - 1, 1<<24 - 1
	minute, hour := firstTwoFields(spec.Schedule)
	table.everyHour = wall.Hour&allHours == allHours
	table.wildcard = table.everyHour || wall.Minute&allMinutes == allMinutes ||
		strings.ContainsAny(minute, "*?") || strings.ContainsAny(hour, "*?")
	return table, nil
}

// Zone the timetable is read in.
func (t *Timetable) Zone() *time.Location { return t.zone }

func parseSchedule(text string) (*cron.SpecSchedule, error) {
	trimmed := strings.TrimSpace(text)
	if strings.Contains(trimmed, "TZ=") {
		// robfig would read a zone here, and panics on one without an expression behind it.
		return nil, errors.New("a zone does not belong into the expression: set timeZone")
	}
	if strings.HasPrefix(trimmed, "@every") {
		return nil, errors.New("@every has no fixed instants on a clock: write a step such as */15 * * * *")
	}
	if advice := foreign(trimmed); advice != "" {
		return nil, errors.New(advice)
	}
	parsed, err := cron.ParseStandard(trimmed)
	if err != nil {
		return nil, err
	}
	wall, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("want five fields: minute, hour, day of month, month, day of week")
	}
	// A field of commas alone parses to an empty set.
	for _, set := range []struct {
		name string
		bits uint64
	}{{"minute", wall.Minute}, {"hour", wall.Hour}, {"day of month", wall.Dom}, {"month", wall.Month}, {"day of week", wall.Dow}} {
		if set.bits == 0 {
			return nil, fmt.Errorf("the field %s is empty", set.name)
		}
	}
	wall.Location = time.UTC
	return wall, nil
}

func parseZone(name string) (*time.Location, error) {
	switch name {
	case "":
		return time.UTC, nil
	case "Local":
		return nil, errors.New("the zone of a process is nobody's zone: want an IANA name such as Asia/Shanghai")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, errors.New("unknown time zone: want an IANA name such as Asia/Shanghai")
	}
	return zone, nil
}

// validDate takes 2006-01-02 and 01-02. The year 2000 is a leap year: 02-29 is a day of some years.
func validDate(text string) bool {
	if len(text) == len("01-02") {
		text = "2000-" + text
	}
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

// firstTwoFields returns minute and hour as written; for a descriptor, nothing.
func firstTwoFields(text string) (minute, hour string) {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return "", ""
	}
	return fields[0], fields[1]
}
