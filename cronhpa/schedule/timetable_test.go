package schedule

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t testing.TB, spec Spec) *Timetable {
	t.Helper()
	table, err := Parse(spec)
	if err != nil {
		t.Fatalf("Parse(%+v): %v", spec, err)
	}
	return table
}

// instant reads "2026-03-08 01:30 EST"-like text as RFC 3339.
func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestParseNamesTheField(t *testing.T) {
	for name, tc := range map[string]struct {
		spec Spec
		want FieldError
	}{
		"too few fields":      {Spec{Schedule: "0 9 * *"}, FieldError{Field: "schedule", Index: -1}},
		"seconds field":       {Spec{Schedule: "0 0 9 * * *"}, FieldError{Field: "schedule", Index: -1}},
		"empty":               {Spec{Schedule: "  "}, FieldError{Field: "schedule", Index: -1}},
		"minute out of range": {Spec{Schedule: "60 9 * * *"}, FieldError{Field: "schedule", Index: -1}},
		"a field of commas":   {Spec{Schedule: "0 , * * *"}, FieldError{Field: "schedule", Index: -1}},
		"@every":              {Spec{Schedule: "@every 1h"}, FieldError{Field: "schedule", Index: -1}},
		"unknown descriptor":  {Spec{Schedule: "@fortnightly"}, FieldError{Field: "schedule", Index: -1}},
		"zone in the text":    {Spec{Schedule: "CRON_TZ=UTC 0 9 * * *"}, FieldError{Field: "schedule", Index: -1}},
		"zone that panics":    {Spec{Schedule: "TZ=UTC"}, FieldError{Field: "schedule", Index: -1}},
		"unknown zone":        {Spec{Schedule: "0 9 * * *", TimeZone: "Mars/Olympus"}, FieldError{Field: "timeZone", Index: -1}},
		"the process's zone":  {Spec{Schedule: "0 9 * * *", TimeZone: "Local"}, FieldError{Field: "timeZone", Index: -1}},
		"a path as zone":      {Spec{Schedule: "0 9 * * *", TimeZone: "../etc/passwd"}, FieldError{Field: "timeZone", Index: -1}},
		"a date that is none": {
			Spec{Schedule: "0 9 * * *", ExcludeDates: []string{"2026-12-25", "2026-02-29"}}, FieldError{Field: "excludeDates", Index: 1},
		},
		"a day of no year":     {Spec{Schedule: "0 9 * * *", ExcludeDates: []string{"02-30"}}, FieldError{Field: "excludeDates", Index: 0}},
		"a date of other form": {Spec{Schedule: "0 9 * * *", ExcludeDates: []string{"25/12/2026"}}, FieldError{Field: "excludeDates", Index: 0}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tc.spec)
			var got *FieldError
			if !errors.As(err, &got) {
				t.Fatalf("Parse() error = %v, want a *FieldError", err)
			}
			if got.Field != tc.want.Field || got.Index != tc.want.Index || got.Reason == "" {
				t.Errorf("Parse() = %+v, want field %s, index %d and a reason", got, tc.want.Field, tc.want.Index)
			}
		})
	}
}

func TestNext(t *testing.T) {
	const newYork, berlin, lordHowe, apia = "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"
	for name, tc := range map[string]struct {
		spec  Spec
		after string
		want  []string
	}{
		"an ordinary day": {
			Spec{Schedule: "0 9 * * *", TimeZone: "Asia/Shanghai"}, "2026-05-01T00:00:00Z",
			[]string{"2026-05-01T01:00:00Z", "2026-05-02T01:00:00Z"},
		},
		"strictly after": {
			Spec{Schedule: "0 9 * * *"}, "2026-05-01T09:00:00Z",
			[]string{"2026-05-02T09:00:00Z"},
		},
		"a time in the gap fires at its end": {
			Spec{Schedule: "30 2 * * *", TimeZone: newYork}, "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"},
		},
		"several times in the gap are one firing": {
			Spec{Schedule: "0,20,40 2 * * *", TimeZone: newYork}, "2026-03-08T00:00:00Z",
			[]string{"2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"},
		},
		"the gap's end is a firing of its own: once": {
			Spec{Schedule: "30 2,3 * * *", TimeZone: newYork}, "2026-03-08T00:00:00Z",
			[]string{"2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"},
		},
		"every hour follows elapsed time through the gap": {
			Spec{Schedule: "30 * * * *", TimeZone: newYork}, "2026-03-08T06:00:00Z",
			[]string{"2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z"},
		},
		"a fixed time in the fold fires once": {
			Spec{Schedule: "30 1 * * *", TimeZone: newYork}, "2026-11-01T00:00:00Z",
			[]string{"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"},
		},
		"once, even when asked between the passes": {
			Spec{Schedule: "30 1 * * *", TimeZone: newYork}, "2026-11-01T05:45:00Z",
			[]string{"2026-11-02T06:30:00Z"},
		},
		"every hour fires in both passes": {
			Spec{Schedule: "30 * * * *", TimeZone: newYork}, "2026-11-01T05:00:00Z",
			[]string{"2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-01T07:30:00Z"},
		},
		"a wildcard minute fires in both passes, on the one day of the year": {
			Spec{Schedule: "*/30 1 1 11 *", TimeZone: newYork}, "2026-11-01T00:00:00Z",
			[]string{"2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z", "2027-11-01T05:00:00Z"},
		},
		"a listed range of all hours is every hour": {
			Spec{Schedule: "30 0-23 * * *", TimeZone: newYork}, "2026-11-01T05:00:00Z",
			[]string{"2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"},
		},
		"a gap of half an hour": {
			Spec{Schedule: "15 2 * * *", TimeZone: lordHowe}, "2026-10-03T00:00:00Z",
			[]string{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"},
		},
		"a day that the zone skipped": {
			Spec{Schedule: "0 9 30 12 *", TimeZone: apia}, "2011-12-01T00:00:00Z",
			[]string{"2011-12-30T10:00:00Z", "2012-12-29T19:00:00Z"},
		},
		"midnight in the gap": {
			Spec{Schedule: "@daily", TimeZone: "America/Asuncion"}, "2023-09-30T12:00:00Z",
			[]string{"2023-10-01T04:00:00Z", "2023-10-02T03:00:00Z"},
		},
		"excluded days, one and every year": {
			Spec{Schedule: "0 9 * * *", TimeZone: berlin, ExcludeDates: []string{"12-25", "2026-12-26"}}, "2026-12-24T12:00:00Z",
			[]string{"2026-12-27T08:00:00Z", "2026-12-28T08:00:00Z"},
		},
		"excluded by the day of the gap": {
			Spec{Schedule: "30 2 * * *", TimeZone: newYork, ExcludeDates: []string{"2026-03-08"}}, "2026-03-07T12:00:00Z",
			[]string{"2026-03-09T06:30:00Z"},
		},
		"a leap day eight years away": {
			Spec{Schedule: "0 0 29 2 *"}, "2096-03-01T00:00:00Z",
			[]string{"2104-02-29T00:00:00Z"},
		},
		"day of month or day of week": {
			Spec{Schedule: "0 0 13 * 5"}, "2026-11-01T00:00:00Z",
			[]string{"2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"},
		},
		"February 30": {Spec{Schedule: "0 0 30 2 *", TimeZone: berlin}, "2026-01-01T00:00:00Z", nil},
		"its only day is excluded": {
			Spec{Schedule: "0 0 25 12 *", ExcludeDates: []string{"12-25"}}, "2026-01-01T00:00:00Z", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			table := mustParse(t, tc.spec)
			at := instant(t, tc.after)
			var got []string
			for range max(len(tc.want), 1) {
				next, ok := table.Next(at)
				if !ok {
					break
				}
				got = append(got, next.Format(time.RFC3339))
				at = next
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("firings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNote(t *testing.T) {
	const newYork = "America/New_York"
	for name, tc := range map[string]struct {
		schedule string
		at       string
		want     string
	}{
		"ordinary":    {"30 2 * * *", "2026-03-07T07:30:00Z", ""},
		"gap":         {"30 2 * * *", "2026-03-08T07:00:00Z", "02:00 to 03:00 does not exist on this day: fires at the end of the gap"},
		"not the gap": {"0 3 * * *", "2026-03-08T07:00:00Z", ""},
		"first pass":  {"30 1 * * *", "2026-11-01T05:30:00Z", "this time comes twice on this day: fires the first time only"},
		"both, first": {"30 * * * *", "2026-11-01T05:30:00Z", "this hour comes twice: first time"},
		"both, again": {"30 * * * *", "2026-11-01T06:30:00Z", "this hour comes twice: second time, because the expression has a wildcard"},
		"after it":    {"30 * * * *", "2026-11-01T07:30:00Z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			table := mustParse(t, Spec{Schedule: tc.schedule, TimeZone: newYork})
			if got := table.Note(instant(t, tc.at)); got != tc.want {
				t.Errorf("Note() = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLatestAndCountOverAVeryLongAbsence(t *testing.T) {
	table := mustParse(t, Spec{Schedule: "* * * * *", TimeZone: "Europe/Berlin"})
	after, now := instant(t, "1996-01-01T00:00:00Z"), instant(t, "2026-11-21T09:30:30Z")
	got, ok := table.Latest(after, now)
	if want := instant(t, "2026-11-21T09:30:00Z"); !ok || !got.Equal(want) {
		t.Errorf("Latest() = %v, %v, want %v", got, ok, want)
	}
	if got := table.Count(after, now, 1000); got != 1000 {
		t.Errorf("Count() = %d, want it to stop at 1000", got)
	}
	if got, ok := table.Latest(now, now); ok {
		t.Errorf("Latest() in an empty span = %v, want none", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0 9 * * 1-5", "Asia/Shanghai", "2026-12-25")
	f.Add("@monthly", "America/New_York", "12-25")
	f.Add("*/7 1-5/2 29 2 *", "Australia/Lord_Howe", "")
	f.Add("TZ=UTC", "", "x")
	now := time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, schedule, zone, date string) {
		spec := Spec{Schedule: schedule, TimeZone: zone}
		if date != "" {
			spec.ExcludeDates = []string{date}
		}
		table, err := Parse(spec)
		if err != nil {
			var named *FieldError
			if !errors.As(err, &named) {
				t.Fatalf("Parse(%+v) = %v, want it to name the field", spec, err)
			}
			return
		}
		if next, ok := table.Next(now); ok && !next.After(now) {
			t.Errorf("Next(%v) = %v", now, next)
		}
	})
}
