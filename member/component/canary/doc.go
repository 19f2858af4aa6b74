// Package canary decides how far a change of a Component's pods goes: step by step, with a pause after each for a person or for
// some seconds. It takes what was observed and now, and remembers nothing: how far it is stands in status.canary.
package canary
