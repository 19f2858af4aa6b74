package apps

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// Counts that are summed over the members. Of each kind those that come last are left out of a stored status where they are 0 (the json
// tags of Kubernetes' types).
var (
	statefulSetCounts = []string{"replicas", "availableReplicas"}
	statefulSetSparse = []string{"readyReplicas", "currentReplicas", "updatedReplicas"}
	replicaSetCounts  = []string{"replicas"}
	replicaSetSparse  = []string{"readyReplicas", "availableReplicas"}
	deploymentSparse  = []string{"replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "unavailableReplicas"}
	daemonSetCounts   = []string{"currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"}
	daemonSetSparse   = []string{"updatedNumberScheduled", "numberAvailable", "numberUnavailable"}
)

const observedGeneration = "observedGeneration"

func aggregateStatus(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	s := aggregate.Begin(object, members, slices.Concat(statefulSetCounts, statefulSetSparse)...)
	asked, err := fleet.Asked(object)
	if err != nil {
		return nil, err
	}
	s.Revisions()
	s.Asked(asked)
	s.Conditions("Available", "Progressing")
	s.OmitZero(append(slices.Clone(statefulSetSparse), observedGeneration)...)
	return s.Edits()
}

// aggregateDeployment is Karmada's own answer while every member can be asked.
func aggregateDeployment(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	s := aggregate.Begin(object, members, deploymentSparse...)
	s.KeepRest()
	s.UpdateTimes()
	s.OmitZero(append(slices.Clone(deploymentSparse), observedGeneration)...)
	return s.Edits()
}

// aggregateReplicaSet is Karmada's own answer while every member can be asked.
func aggregateReplicaSet(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	s := aggregate.Begin(object, members, slices.Concat(replicaSetCounts, replicaSetSparse)...)
	s.KeepRest()
	s.OmitZero(append(slices.Clone(replicaSetSparse), observedGeneration)...)
	return s.Edits()
}

// aggregateDaemonSet is Karmada's own answer while every member can be asked.
func aggregateDaemonSet(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	s := aggregate.Begin(object, members, slices.Concat(daemonSetCounts, daemonSetSparse)...)
	s.KeepRest()
	s.OmitZero(append(slices.Clone(daemonSetSparse), observedGeneration)...)
	return s.Edits()
}
