// Package rollout decides which servers of a set get a release next: batch by batch, no more at once than may be away, up to the first
// that fails beyond what is allowed, and past a person where one is asked. It is pure.
package rollout
