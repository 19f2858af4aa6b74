package schedule

import (
	"fmt"
	"strings"
)

// MostDays a calendar may hold.
const MostDays = 4096

// ReadCalendar reads the days of a shared calendar, one a line, as in Spec.ExcludeDates. What follows a day on its line is for people;
// empty lines and those that begin with # are skipped.
func ReadCalendar(text string) ([]string, error) {
	var days []string
	number := 0
	for line := range strings.Lines(text) {
		number++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if !validDate(fields[0]) {
			return nil, fmt.Errorf("line %d: %.40q is no day: want 2026-12-25 for one day, or 12-25 for every year, one a line", number, fields[0])
		}
		if days = append(days, fields[0]); len(days) > MostDays {
			return nil, fmt.Errorf("more than %d days", MostDays)
		}
	}
	return days, nil
}
