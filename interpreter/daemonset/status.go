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
	s := aggregate.Begin(object, members, counts...)
	// The CRD wants the hash, as text, also before any member has reported.
	s.UpdatedText("daemonSetHash")
	s.Conditions("Available", "Progressing")
	return s.Edits()
}
