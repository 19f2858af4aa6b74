// Package depend collects the objects a workload must have beside it in a member, each once, in the order of kinds
// and names. It decides nothing but order; the families say where in their objects the names stand.
package depend
