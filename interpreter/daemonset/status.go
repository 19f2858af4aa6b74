package daemonset

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// counts are summed over the members.
var counts = []string{
	"currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "updatedNumberScheduled",
	"numberAvailable", "numberUnavailable",
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
	// The CRD wants the hash, as text, also before any member has reported.
	hash, err := aggregate.UpdatedText(object, members, "daemonSetHash")
	if err != nil {
		return nil, err
	}
	status["daemonSetHash"] = hash
	conditions, err := aggregate.Conditions(members)
	if err != nil {
		return nil, err
	}
	if len(conditions) > 0 {
		status["conditions"] = conditions
	}
	return aggregate.Replace(status), nil
}
