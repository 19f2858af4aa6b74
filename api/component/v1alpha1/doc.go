// Package v1alpha1 holds Component, a service in five fields, and ComponentTemplate, what a cluster adds to it.
//
// A developer writes workloadType, developLanguage, runType, image and port; a controller in each member renders a
// Deployment or StatefulSet, a Service and an Ingress from that cluster's templates. Component is authored in the
// control plane and carried to members by Karmada. It has nothing to do with Karmada's own
// workv1alpha2.Component, which is one pod template of a workload with several.
//
// +kubebuilder:object:generate=true
// +groupName=component.luojilab.com
package v1alpha1
