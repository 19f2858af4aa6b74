// Package bench measures Argosy beside its peer, in one run on one machine, and prints a table: ours, the peer's, the
// ratio. `make bench` runs it with -args -bench; without that flag nothing is measured.
package bench
