// Package delivery has the story of a set behind a real HAProxy: the sample of a delivery on machines in namespaces, with customers that
// ask the proxy all the while.
package delivery
