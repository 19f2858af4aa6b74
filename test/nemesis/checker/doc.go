// Package checker judges a history. A checker is a pure function; it knows the APIs of Kubernetes, Karmada and Argosy and nothing of
// anybody's code.
//
// Each is worded so that it can be decided without a false alarm (Sentence), tells how much it looked at (Judged: a checker that looked
// at nothing proves nothing), and is itself proved by a history that is right and the same with one record changed (golden_test.go).
package checker
