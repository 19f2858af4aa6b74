// Package pool decides which servers are in a load balancer's pool, with which weight, and when the tasks that wait for it are done.
//
// It reads Servers - their tasks, phase, addresses and what status.loadBalancers records - and now, and gives back the members the pool
// should have. Nobody comes into a pool who is not Ready. Who is in and looks sick to the prober stays in while more look so than the set's
// failover.maxUnhealthy allows: the fault is likely elsewhere, and a pool is never emptied for what was only seen.
package pool
