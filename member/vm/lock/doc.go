// Package lock decides who may work on a machine: take the lock, renew it, wait, or take it over from a holder that does not renew.
//
// No clock is compared with another: a lock is expired when it did not change for its leaseSeconds by the observer's own time, as in
// client-go's leader election. Every change of holder or operation raises the sequence, and the machine refuses work of a lower one
// (Fence), so that a holder that was only paused does not act after another took over.
package lock
