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
	members = aggregate.Ordered(members)
	status := map[string]any{}
	if err := aggregate.Sum(members, status, counts...); err != nil {
		return nil, err
	}
	generation, err := aggregate.ObservedGeneration(object, members)
	if err != nil {
		return nil, err
	}
	status["observedGeneration"] = generation
	if err := aggregate.Revisions(object, members, status); err != nil {
		return nil, err
	}
	if err := aggregate.Selector(object, members, status, "labelSelector"); err != nil {
		return nil, err
	}
	claims, err := aggregate.SumBy(members, "volumeClaims", "volumeClaimName", "compatibleReplicas", "compatibleReadyReplicas")
	if err != nil {
		return nil, err
	}
	if len(claims) > 0 {
		status["volumeClaims"] = claims
	}
	conditions, err := aggregate.Conditions(members)
	if err != nil {
		return nil, err
	}
	if len(conditions) > 0 {
		status["conditions"] = conditions
	}
	return aggregate.Replace(status), nil
}
