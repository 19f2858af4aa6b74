// Package httpbalance keeps load balancers through the HTTP contract of docs/reference/loadbalancers.openapi.yaml, which a company's own
// system can serve. An answer it does not understand is an error and no knowledge.
package httpbalance
