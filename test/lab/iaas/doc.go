// Package iaas is the lab's own IaaS: a small server of the contract docs/reference/machines.openapi.yaml, on which machines are entries of
// a table, or guests: SSH servers that run the real sh of this host. It can be told to fail as real ones do: answers that are lost after
// the work was done, requests that arrive twice, answers that come late, lists that lag, machines that die.
// Beside them it has load balancers, by the contract docs/reference/loadbalancers.openapi.yaml, which are entries of a table.
package iaas
