// Package schedule decides when a timetable fires. It is pure: it takes values and now, and reads no clock, cluster or log.
//
// robfig/cron parses the expressions and steps through the calendar, always on a wall clock without daylight saving (UTC).
// This package lays that wall clock over a time zone, one stretch of constant offset after the other:
//
//		            gap (spring)                         fold (autumn)
//		wall   01:30 02:00 ~~~~~~ 03:00 03:30      01:30 02:00|01:00 01:30 02:00
//		          |    |  skipped   |     |           |      |      |     |
//		instant --+----+------------+-----+--   ------+------+------+-----+----->
//		               one instant                     first pass   second pass
//
//	  - A wall time that the gap skips fires once, at the end of the gap, and before what is due there anyway. Not so when the hour field
//	    is every hour: the expression then follows elapsed time, and 01:30, 03:30 are an hour apart as they should be.
//	  - A wall time that the fold repeats fires in the first pass only. Not so when the minute or the hour is a wildcard
//	    (contains * or ?, or lists everything): that too follows elapsed time, through both passes.
//	  - A date is excluded by the wall clock of the zone.
//
// Plan turns several rules, how far each is handled, and now into what is due: at most one firing is applied, the latest;
// what lies before it was missed and is counted, not replayed.
package schedule

import (
	// A machine without zoneinfo (a distroless image) must read zones all the same.
	_ "time/tzdata"
)
