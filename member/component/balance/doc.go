// Package balance keeps the load balancers of Components at the providers that argosy-member-manager is configured with, through a driver:
// it is what a cloud's own controller is for the Services of its class.
//
// It reads Services that name a Component, and nodes. It decides what the load balancer is to be (SpecOf) and what is told of it (Told),
// both pure. It writes a finalizer and an annotation into the Service, its addresses, and the condition
// component.luojilab.com/LoadBalancer, from which the Component's own condition LoadBalancerReady is made.
package balance
