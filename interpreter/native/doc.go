// Package native makes the status of kinds of Kubernetes that Karmada interprets by itself: Jobs and PodDisruptionBudgets. Karmada's own
// code makes it; what a member that cannot be asked said last is told apart before, and said after. It reads and writes nothing.
package native
