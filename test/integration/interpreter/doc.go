// Package interpreter runs the real argosy-webhook against a real karmada plane and asks it through Karmada's own
// resource interpreter, the code karmada-controller-manager runs.
package interpreter
