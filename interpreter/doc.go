// Package interpreter is how Karmada reads our workloads: the list of families and the one dispatch both edges use,
// the webhook (interpreter/hook) and `argosyctl interpret`.
//
// It decides which family's rule answers a question. It is pure: no client, clock or log.
package interpreter
