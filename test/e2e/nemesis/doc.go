// Package nemesis is the run of test/nemesis that `make nemesis` starts: it takes a federation, minutes, and both of a small machine's
// cores.
package nemesis
