// Package hook is the edge between Karmada and the pure rules: Karmada's ResourceInterpreterWebhook protocol
// (ResourceInterpreterContext, config.karmada.io/v1alpha1) over HTTPS.
//
// It decides nothing about workloads. It reads the request, and the ResourceBinding where a family's rule needs the
// whole division of replicas; it writes the answer, as a JSON patch where the operation changes an object. Whatever
// is wrong with a request, the answer is a well-formed refusal that names the field: never a panic, never a part of a
// patch. Karmada has no fallback behind a webhook that matches, so a refusal stops that one sync and Karmada retries.
//
//	server.go     one request: bounds, panics, metrics, log
//	protocol.go   the wire format, both ways
//	binding.go    the division a ResourceBinding holds
//	registration.go  the ResourceInterpreterWebhookConfiguration that makes Karmada ask us
//	overrides.go  ResourceInterpreterCustomizations that make Karmada not ask us: event, metric, log
//	metrics.go    argosy_interpreter_*
package hook
