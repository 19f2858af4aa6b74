// Package apps is how Karmada reads the workloads of apps/v1 where its own rules take what the user holds for a failure.
//
// It decides
//
//   - of a StatefulSet: the division of a partition (a count of pods, also with spec.ordinals: updateStatefulSet of
//     Kubernetes' pkg/controller/statefulset goes by index) and of maxUnavailable, one status, and health. Karmada copies
//     the partition to every member, calls every member that stands at it Unhealthy, and a failover of the application then makes it
//     anew elsewhere, all of it updated;
//   - of a Deployment and a DaemonSet: health, where paused and OnDelete are the user's will, and the status, in which what a member
//     that cannot be asked said last does not count as ready. Nothing of theirs holds replicas back, so nothing is divided:
//     karmada-apiserver fills in maxUnavailable and maxSurge of each Deployment, and what a person wrote cannot be told from that.
//
// Of availability it asks what Karmada asks. What is not set here (replicas, dependencies, a Deployment's retained replicas) stays
// Karmada's own.
package apps
