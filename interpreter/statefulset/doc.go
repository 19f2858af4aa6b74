// Package statefulset is how Karmada reads an OpenKruise Advanced StatefulSet (apps.kruise.io v1beta1).
//
// It decides, from the objects it is given, what package cloneset does, with what is particular to named pods:
//
//   - the partition is a count, not an ordinal: with spec.ordinals, spec.reserveOrdinals or unordered updates OpenKruise
//     brings exactly replicas - partition pods to the new revision (sortPodsToUpdate in its
//     pkg/controller/statefulset), so it is divided over members like a CloneSet's;
//   - ordinals and reserved ordinals are each member's own numbering and go to every member as they are;
//   - the governing Service is a dependency; volumes of claim templates are not, the workload makes those claims;
//   - with update strategy OnDelete nothing is expected to be updated.
package statefulset
