// Package usage serves what pods use in a member of the lab: the list of metrics.k8s.io/v1beta1 that a native autoscaler reads. Nothing
// runs in these pods; what each is said to use stands in the annotations that KWOK reads too. The real metrics-server asks KWOK for a sum
// of seconds every ten seconds, and knows a rate after the second answer: a load is seen some half a minute late. Here it is seen at once,
// so that a story waits for autoscalers and not for figures.
package usage
