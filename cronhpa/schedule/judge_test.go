package schedule

import (
	"archive/zip"
	"fmt"
	"go/build"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// judge decides by brute force, minute by minute, what a timetable fires. It shares nothing with the code under test: it
// has a cron reader of its own, and it knows of daylight saving only that the clock on the wall jumped.
type judge struct {
	sets       [5]map[int]bool // minute, hour, day of month, month, day of week
	anyDay     bool            // day of month and day of week must both match
	everyHour  bool
	bothPasses bool
	excluded   map[string]bool
}

func newJudge(spec Spec) judge {
	fields := strings.Fields(spec.Schedule)
	bounds := [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}
	j := judge{excluded: map[string]bool{}}
	for i, field := range fields {
		j.sets[i] = map[int]bool{}
		for part := range strings.SplitSeq(field, ",") {
			span, stepText, stepped := strings.Cut(part, "/")
			step := 1
			if stepped {
				step, _ = strconv.Atoi(stepText)
			}
			low, high := bounds[i][0], bounds[i][1]
			if span != "*" {
				from, to, ranged := strings.Cut(span, "-")
				low, _ = strconv.Atoi(from)
				if ranged {
					high, _ = strconv.Atoi(to)
				} else if !stepped {
					high = low
				}
			}
			for n := low; n <= high; n += step {
				j.sets[i][n] = true
			}
		}
	}
	j.anyDay = fields[2] == "*" || fields[4] == "*"
	j.everyHour = len(j.sets[1]) == 24
	j.bothPasses = j.everyHour || len(j.sets[0]) == 60 || strings.Contains(fields[0]+fields[1], "*")
	for _, date := range spec.ExcludeDates {
		j.excluded[date] = true
	}
	return j
}

// wallMinute is the clock on the wall, in minutes since 1970 of that clock.
func wallMinute(instant time.Time, zone *time.Location) int64 {
	_, offset := instant.In(zone).Zone()
	return (instant.Unix() + int64(offset)) / 60
}

// matches is whether the wall clock's minute is one of the expression's.
func (j judge) matches(minute int64) bool {
	if !j.sets[0][int(minute%60)] || !j.sets[1][int(minute/60%24)] {
		return false
	}
	wall := time.Unix(minute*60, 0).UTC()
	if !j.sets[3][int(wall.Month())] {
		return false
	}
	dom, dow := j.sets[2][wall.Day()], j.sets[4][int(wall.Weekday())]
	day := dom || dow
	if j.anyDay {
		day = dom && dow
	}
	return day && !j.excluded[wall.Format("2006-01-02")] && !j.excluded[wall.Format("01-02")]
}

// walk is the walls of a zone, minute by minute, read once and judged for many timetables.
func walk(zone *time.Location, from time.Time, minutes int) []int64 {
	walls := make([]int64, minutes)
	for i := range walls {
		walls[i] = wallMinute(from.Add(time.Duration(i)*time.Minute), zone)
	}
	return walls
}

// firings are those in the walk, without its first day (which only shows what the fold repeats).
func (j judge) firings(from time.Time, walls []int64) []time.Time {
	var out []time.Time
	highest := walls[0]
	for i := 1; i < len(walls); i++ {
		fires := j.matches(walls[i]) && (walls[i] > highest || j.bothPasses)
		if !j.everyHour {
			for skipped := walls[i-1] + 1; skipped < walls[i] && !fires; skipped++ {
				fires = j.matches(skipped)
			}
		}
		highest = max(highest, walls[i])
		if fires && i > 24*60 {
			out = append(out, from.Add(time.Duration(i)*time.Minute))
		}
	}
	return out
}

// zonesWithChanges is every zone of Go's own zone database whose offset changes in the span, one of each set of zones
// that change alike.
func zonesWithChanges(t testing.TB, from time.Time, days int) []*time.Location {
	t.Helper()
	archive, err := zip.OpenReader(filepath.Join(build.Default.GOROOT, "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatalf("opening Go's zone database: %v", err)
	}
	t.Cleanup(func() { _ = archive.Close() })
	var zones []*time.Location
	seen := map[string]bool{}
	for _, file := range archive.File {
		if strings.HasSuffix(file.Name, "/") {
			continue
		}
		reader, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(reader)
		if closeErr := reader.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			t.Fatal(err)
		}
		zone, err := time.LoadLocationFromTZData(file.Name, data)
		if err != nil {
			t.Fatalf("zone %s: %v", file.Name, err)
		}
		if changes := changesOf(zone, from, days); changes != "" && !seen[changes] {
			seen[changes] = true
			zones = append(zones, zone)
		}
	}
	if len(zones) < 20 {
		t.Fatalf("only %d zones with changes: the test no longer tests", len(zones))
	}
	return zones
}

func changesOf(zone *time.Location, from time.Time, days int) string {
	var out strings.Builder
	_, last := from.In(zone).Zone()
	for hour := range days * 24 {
		at := from.Add(time.Duration(hour) * time.Hour)
		if _, offset := at.In(zone).Zone(); offset != last {
			fmt.Fprintf(&out, "%d:%d>%d ", at.Unix(), last, offset)
			last = offset
		}
	}
	return out.String()
}

// expressions cover fixed times inside and around every gap and fold, wildcards of each field, steps, lists and days.
var expressions = []string{
	"30 2 * * *", "30 1 * * *", "0 0 * * *", "0 3 * * *", "15,45 0-4 * * *", "59 23 * * *",
	"30 * * * *", "*/20 2 * * *", "*/20 1 * * *", "0 */2 * * *", "10 */3 * * 0", "*/15 * * * *",
	"30 0-23 * * *", "5 1 1-7 * 0", "0 0 31 * *",
}

func TestTwoYearsOfEveryZoneAgainstTheJudge(t *testing.T) {
	const days = 2 * 365
	from := time.Date(2025, 11, 20, 0, 0, 0, 0, time.UTC)
	zones := zonesWithChanges(t, from, days)
	firings := 0
	for _, zone := range zones {
		walls := walk(zone, from, days*24*60)
		first, last := from.Add(24*time.Hour), from.Add((days*24*60-1)*time.Minute)
		for _, expression := range expressions {
			want := newJudge(Spec{Schedule: expression}).firings(from, walls)
			table := mustParse(t, Spec{Schedule: expression})
			table.zone = zone
			var got []time.Time
			for at, ok := table.Next(first); ok && !at.After(last); at, ok = table.Next(at) {
				got = append(got, at)
			}
			firings += len(got)
			if at, differ := firstDifference(want, got); differ {
				t.Errorf("%s in %s: judge and timetable differ at %s (%s there): %d firings, want %d",
					expression, zone, at, at.In(zone), len(got), len(want))
			}
		}
	}
	t.Logf("%d zones, %d firings", len(zones), firings)
}

func firstDifference(want, got []time.Time) (time.Time, bool) {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			return got[i], true
		case i >= len(got) || !want[i].Equal(got[i]):
			return want[i], true
		}
	}
	return time.Time{}, false
}

// TestOddTransitionsAgainstTheJudge visits the changes that a rule of thumb gets wrong: a skipped day, a repeated
// half hour, a change at midnight, a change of standard time, four changes a year.
func TestOddTransitionsAgainstTheJudge(t *testing.T) {
	for zoneName, around := range map[string]string{
		"Pacific/Apia":        "2011-12-30T00:00:00Z",
		"Australia/Lord_Howe": "2027-04-03T00:00:00Z",
		"America/Sao_Paulo":   "2018-11-04T00:00:00Z",
		"America/Havana":      "2026-11-01T00:00:00Z",
		"Asia/Pyongyang":      "2018-05-04T00:00:00Z",
		"Africa/Casablanca":   "2027-02-07T00:00:00Z",
		"America/Caracas":     "2016-05-01T00:00:00Z",
		"Antarctica/Troll":    "2027-03-28T00:00:00Z",
		"Europe/Lisbon":       "1992-09-27T00:00:00Z",
		"Pacific/Kwajalein":   "1993-08-20T00:00:00Z",
	} {
		t.Run(zoneName, func(t *testing.T) {
			from := instant(t, around).Add(-72 * time.Hour)
			for _, expression := range append(slices.Clone(expressions), "* * * * *", "7 0-5 * * *", "0 12 30 12 *") {
				table := mustParse(t, Spec{Schedule: expression, TimeZone: zoneName})
				const minutes = 7 * 24 * 60
				want := newJudge(Spec{Schedule: expression}).firings(from, walk(table.zone, from, minutes))
				var got []time.Time
				last := from.Add((minutes - 1) * time.Minute)
				for at, ok := table.Next(from.Add(24 * time.Hour)); ok && !at.After(last); at, ok = table.Next(at) {
					got = append(got, at)
				}
				if at, differ := firstDifference(want, got); differ {
					t.Errorf("%s: judge and timetable differ at %s (%s there)", expression, at, at.In(table.zone))
				}
			}
		})
	}
}

// anySpec draws a timetable that both the judge and Parse can read.
func anySpec(t *rapid.T) Spec {
	field := func(name string, low, high int) string {
		number := rapid.IntRange(low, high)
		switch rapid.IntRange(0, 5).Draw(t, name+" form") {
		case 0, 1:
			return strconv.Itoa(number.Draw(t, name))
		case 2:
			return fmt.Sprintf("*/%d", rapid.IntRange(2, high).Draw(t, name+" step"))
		case 3:
			a, b := number.Draw(t, name+" from"), number.Draw(t, name+" to")
			return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
		case 4:
			return fmt.Sprintf("%d,%d", number.Draw(t, name), number.Draw(t, name+" too"))
		}
		return "*"
	}
	days := rapid.SampledFrom([]string{"* * *", "* * 0", "1-10 * *", "* 3-4,10-11 *"}).Draw(t, "days")
	return Spec{
		Schedule: field("minute", 0, 59) + " " + field("hour", 0, 5) + " " + days,
		TimeZone: rapid.SampledFrom([]string{
			"America/New_York", "Europe/Berlin", "Europe/London", "Australia/Lord_Howe", "America/Havana", "Africa/Casablanca",
			"Asia/Beirut", "America/St_Johns", "Pacific/Chatham", "Asia/Shanghai", "UTC",
		}).Draw(t, "zone"),
		ExcludeDates: rapid.SampledFrom([][]string{nil, {"03-08"}, {"2026-10-25", "11-01"}}).Draw(t, "excluded"),
	}
}

func TestAnyTimetableAgainstTheJudge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := anySpec(t)
		table, err := Parse(spec)
		if err != nil {
			t.Fatalf("Parse(%+v): %v", spec, err)
		}
		from := rapid.SampledFrom([]time.Time{
			time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 27, 0, 0, 0, 0, time.UTC),
			time.Date(2026, 10, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 23, 0, 0, 0, 0, time.UTC),
			time.Date(2026, 10, 30, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 13, 0, 0, 0, 0, time.UTC),
		}).Draw(t, "from")
		const minutes = 4 * 24 * 60
		want := newJudge(spec).firings(from, walk(table.zone, from, minutes))
		start, last := from.Add(24*time.Hour), from.Add((minutes-1)*time.Minute)
		var got []time.Time
		for at, ok := table.Next(start); ok && !at.After(last); at, ok = table.Next(at) {
			got = append(got, at)
		}
		if at, differ := firstDifference(want, got); differ {
			t.Fatalf("%+v: judge and timetable differ at %s (%s there)", spec, at, at.In(table.zone))
		}
		latest, ok := table.Latest(start, last)
		if ok != (len(want) > 0) || ok && !latest.Equal(want[len(want)-1]) {
			t.Fatalf("%+v: Latest() = %v, %v, the judge saw %d firings", spec, latest, ok, len(want))
		}
		if count := table.Count(start, last, len(want)+1); count != len(want) {
			t.Fatalf("%+v: Count() = %d, want %d", spec, count, len(want))
		}
	})
}
