package schedule

import (
	"strings"
	"testing"
)

// TestForeignExpressions are refused in words that say what to write.
func TestForeignExpressions(t *testing.T) {
	for schedule, want := range map[string]string{
		"0 0 9 * * *":      "leave out the seconds at the front and the year at the end, such as 0 9 * * *",
		"0 0 9 * * ? 2027": "7 fields, want five",
		"0 9 * *":          "4 fields, want five",
		"0 9 L * *":        "L (the last day of a month) is not read",
		"0 9 15W * *":      "W (the weekday nearest to a day)",
		"0 9 * * 2#1":      "# (the nth weekday of a month)",
		"0 9 * * 5L":       "L (the last such weekday",
		"0 9 * * 7":        "write 0 or SUN for Sunday",
		"0 9 * * 5-7":      "a range over the weekend is a list: 5,6,0",
		"@date 2026-12-24": "@date is no schedule here",
		"@reboot":          "@reboot has no instant",
		"@fortnightly":     "unknown descriptor",
	} {
		_, err := Parse(Spec{Schedule: schedule})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", schedule, err, want)
		}
	}
	for _, schedule := range []string{"0 9 * JUL *", "0 9 * * SUN", "*/7 9 7 7 0", "0 9 1-7 * 1", "@daily", "0 9 * * 0,6", "0 9 * * */7"} {
		if _, err := Parse(Spec{Schedule: schedule}); err != nil {
			t.Errorf("%s: %v", schedule, err)
		}
	}
}

func TestEitherDay(t *testing.T) {
	for schedule, want := range map[string]bool{
		"0 9 1-7 * 1": true, "0 9 13 * FRI": true, "0 9 13 * *": false, "0 9 * * 5": false, "0 9 */2 * 1": true, "0 9 ? * 1": false,
		"@weekly": false,
	} {
		if got := EitherDay(schedule); (got != "") != want {
			t.Errorf("%s: note %q, want one: %t", schedule, got, want)
		}
	}
}
