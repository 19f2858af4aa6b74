package schedule

import (
	"fmt"
	"strings"
)

// foreign says what to write instead of an expression that other schedulers read and this one does not (Quartz, the cron of some
// systems, other autoscalers); empty for any other.
func foreign(text string) string {
	const five = "minute, hour, day of month, month, day of week"
	fields := strings.Fields(text)
	switch {
	case strings.HasPrefix(text, "@"):
		return foreignDescriptor(text)
	case len(fields) == 6 || len(fields) == 7:
		return fmt.Sprintf("%d fields, want five (%s): leave out the seconds at the front and the year at the end, such as %s",
			len(fields), five, strings.Join(fields[1:6], " "))
	case len(fields) != 5:
		return fmt.Sprintf("%d fields, want five (%s), such as 30 8 * * 1-5 for half past eight from Monday to Friday", len(fields), five)
	}
	return foreignDay(fields[2], strings.ToUpper(fields[4]))
}

func foreignDescriptor(text string) string {
	switch name, _, _ := strings.Cut(text, " "); name {
	case "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually":
		return ""
	case "@date":
		return "@date is no schedule here: write the day and the minute, such as 0 9 24 12 *, and set runOnce for one year only"
	case "@reboot":
		return "@reboot has no instant on a clock: write a time, such as 0 9 * * *"
	}
	return "unknown descriptor: want @hourly, @daily, @weekly, @monthly or @yearly, or five fields"
}

func foreignDay(dom, dow string) string {
	upper := strings.ToUpper(dom)
	switch {
	case strings.Contains(dow, "#"):
		return "# (the nth weekday of a month) is not read: write the days it can fall on, such as 0 9 1-7 * * with excludeDates, or one rule " +
			"for each date with runOnce"
	case strings.Contains(upper, "L"):
		return "L (the last day of a month) is not read: write one rule for each length of month, such as 0 9 31 1,3,5,7,8,10,12 *, 0 9 30 " +
			"4,6,9,11 * and 0 9 28 2 *"
	case strings.Contains(upper, "W"):
		return "W (the weekday nearest to a day) is not read: write the day, and excludeDates for weekends"
	case strings.HasSuffix(dow, "L") && !strings.HasSuffix(dow, "JUL"):
		return "L (the last such weekday of a month) is not read: write one rule for each date with runOnce"
	}
	for _, part := range strings.Split(dow, ",") {
		days, _, _ := strings.Cut(part, "/")
		if first, last, _ := strings.Cut(days, "-"); first == "7" || last == "7" {
			return "7 is no day of the week here: write 0 or SUN for Sunday (a range over the weekend is a list: 5,6,0)"
		}
	}
	return ""
}

// star is robfig's mark of a field that is open: * or ? without a step.
const star = 1 << 63

// EitherDay notes that neither day of month nor day of week is open: cron fires on a day that meets either. Empty for any other.
func EitherDay(schedule string) string {
	parsed, err := parseSchedule(schedule)
	if err != nil || parsed.Dom&star != 0 || parsed.Dow&star != 0 {
		return ""
	}
	fields := strings.Fields(schedule)
	if len(fields) != 5 {
		return ""
	}
	return fmt.Sprintf("day of month %s and day of week %s are joined by OR: it fires on a day that meets either", fields[2], fields[4])
}
