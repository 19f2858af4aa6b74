// Package decide says what is to be done for one Component in a member, and what is to be said of it.
//
// It reads what was rendered and what exists: Steps gives the objects to apply, delete or let go, and why one is left
// alone; Status gives the counts, addresses and conditions, in words for a developer who knows no Kubernetes. Both are
// pure: they know no client, clock or log.
package decide
