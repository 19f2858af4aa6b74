// Package interpreterlab runs the real argosy-webhook on a karmada plane, and Karmada's own interpreter to ask it:
// what integration tests and benchmarks of the interpreter share.
package interpreterlab
