// Package fedhpaplane is a control plane for FedHPA's integration tests and benchmark: a real kube-apiserver with Karmada's kinds, the real
// FedHPA controllers against it, and Karmada's part played by the test, one call at a time. So a test chooses exactly when a member
// reports and when the scheduler has seen a binding. That Karmada itself does what is played here is shown in test/e2e.
package fedhpaplane
