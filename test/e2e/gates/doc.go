// Package gates plays our kinds beside what newer versions of Karmada offer and leave off: multiple pod templates, priority, overcommit
// protection and workload affinity are feature gates, overflow affinities are a field. One federation has all of them on; docs/upgrade.md
// says what each does to our workloads.
package gates
