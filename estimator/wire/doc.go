// Package wire speaks Karmada's scheduler-estimator protocol, byte for byte, in every form that Karmada 1.16 to 1.19 sends.
//
// Karmada changed the messages without changing their names: 1.16 and 1.17 send Kubernetes messages, 1.18 sends those and the
// same again as opaque bytes, 1.19 sends the bytes only and adds the workloads it has assumed. A server generated from one
// version's .proto reads the other's requests as empty ones and answers far too much. So package pb is generated from a .proto of all
// forms (decision 0286), and a request in no known form is marked as such, never read as "no requirements".
//
// Decides: what a request asks. Reads: bytes. Writes: bytes.
package wire
