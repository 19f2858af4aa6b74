// Package aggregate makes one status out of the members' statuses, and picks in a member what is carried up.
//
// It decides from values. A member that has not reported is unknown, not zero: it adds nothing to a sum, and the
// template's observedGeneration does not move before it reports.
package aggregate
