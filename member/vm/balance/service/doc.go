// Package service puts members behind a Kubernetes Service without a selector, by EndpointSlices of our own. Nothing has to be installed:
// whatever serves Services serves them. There are no weights: a member of weight 0 is not ready, any other is.
//
// The pool is "name" or "name:port" - a Service of the namespace, and which of its ports where it has several. Slices of others are neither
// read nor written; a Service with a selector is refused, since Kubernetes writes its endpoints.
package service
