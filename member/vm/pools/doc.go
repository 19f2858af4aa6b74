// Package pools keeps servers in the pools of their load balancers and out of them: one reconcile for each pool that the Servers of a
// namespace name, from all of them.
//
// Reads Servers and VMReplicaSets; drivers of load balancers (package balance). Writes status.loadBalancers of Servers - what is asked of
// a pool before it is asked, and what it showed afterwards - and their finalizer vm.argosy.dev/loadbalancer. What a server's tasks wait for
// is what is recorded there (package pool).
package pools
