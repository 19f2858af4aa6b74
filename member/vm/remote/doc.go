// Package remote works on machines over SSH. What is started there goes on when the connection breaks, is found again by its name, and is
// refused when it bears a lower sequence than the machine has seen: argosy-run.sh, which is put onto the machine under its own hash, is the
// fence that a lock in the API server alone cannot be.
//
// A machine proves by one of the host keys that its driver names that it is the one; nothing is sent to another.
package remote
