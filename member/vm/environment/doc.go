// Package environment says which packages a machine lacks, and how each is put onto it. It is pure: scripts are text, and what is on a
// machine is what a survey of it printed.
//
// A package is on a machine once its record is, which is written last, and as long as the check beside it holds. So an installation that
// was killed anywhere is begun again, and one that is whole is left alone.
package environment
