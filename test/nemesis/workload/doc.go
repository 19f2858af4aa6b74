// Package workload is what users do with a federation: applications, each used in one way (App), and operations on them that a seed
// chooses (Generate).
//
// An application is used in one way only, so that a checker can tell whose doing a change is: what is scaled by a timetable is not scaled
// by hand as well. What its owner wants is noted before he asks for it.
package workload
