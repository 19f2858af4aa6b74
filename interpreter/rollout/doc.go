// Package rollout decides whether a member's rollout is well: the one rule of health that all families share.
//
// An unhealthy answer can make Karmada move the workload to another cluster. So a rollout that stands where a person
// holds it, paused or at its partition, is well, and so is one in which no more replicas are missing than allowed.
package rollout
