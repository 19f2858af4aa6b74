// Package cloneset is how Karmada reads an OpenKruise CloneSet (apps.kruise.io v1alpha1 and v1beta1).
//
// It decides, from the objects it is given: how many replicas there are and what they need; what one member's
// manifest is (an integer partition is divided so that the fleet as a whole keeps it); what belongs to the member; one
// status out of many; whether a member's CloneSet is healthy (a paused or partitioned rollout is); what it depends on.
package cloneset
