package statefulset

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// counts are summed over the members.
var counts = []string{
	"replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas", "updatedReadyReplicas",
	"updatedAvailableReplicas",
}

func aggregateStatus(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	s := aggregate.Begin(object, members, counts...)
	asked, err := fleet.Asked(object)
	if err != nil {
		return nil, err
	}
	s.Revisions()
	s.Asked(asked)
	s.Selector("labelSelector")
	s.SumBy("volumeClaims", "volumeClaimName", "compatibleReplicas", "compatibleReadyReplicas")
	s.Conditions("Available", "Progressing")
	return s.Edits()
}
