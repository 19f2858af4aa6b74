// Package binaries builds the programs a lab runs - etcd, Kubernetes, Karmada, OpenKruise, KWOK,
// metrics-server - from their Go modules, once for all clones of this machine.
//
// It reads the go.mod files of the clone and writes to <user cache>/argosy/<group>-<key>/, where
// key covers the Go release, the build flags and the version of every module linked in. Two builds
// of one key exclude each other by a file lock, and a program appears under its name only when it
// is complete, so an interrupted build leaves nothing half-written that a later run would use.
package binaries
