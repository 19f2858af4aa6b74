// Package servicecomponent is how Karmada reads a Component (component.luojilab.com v1alpha1), the service in five
// fields. The package does not bear the kind's bare name because Karmada's interpreter has an operation
// InterpretComponent and a type workv1alpha2.Component, which mean one pod template of a workload.
//
// The pods are rendered in members, from templates the control plane does not have. So the rules read the pod template
// as far as it is known (the main container's image, resources and environment, and on it the patches of the spec, merged
// as the member's controller merges them), and where that is silent about resources, what members report in
// status.requests.
//
// Steps of a canary that are numbers mean the whole fleet and are divided exactly, like a partition.
package servicecomponent
