package aggregate

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// Conditions of ours on a template of any kind. They are there only while they are False: an answer that falls short is said, and
// else the status is the members' alone.
const (
	// ConditionMembersReported is False while a member's status cannot be read.
	ConditionMembersReported = "MembersReported"
	// ReasonStatusUnreadable is its reason; the message names member and field.
	ReasonStatusUnreadable = "StatusUnreadable"

	// ConditionRolloutAsAsked is False while more replicas are updated than the partition allows.
	ConditionRolloutAsAsked = "RolloutAsAsked"
	// ReasonMoreUpdated is its reason; the message says how many were asked, how many there are, and where.
	ReasonMoreUpdated = "MoreUpdated"
)

// ownCondition is one of ours that is False.
type ownCondition struct{ kind, reason, message string }

// say puts our conditions among the members'.
func (s *Status) say(out map[string]any) {
	if len(s.own) == 0 {
		return
	}
	before, _, _ := unstructured.NestedSlice(s.template.Object, "status", "conditions")
	list, _ := out["conditions"].([]any)
	for _, c := range s.own {
		condition := map[string]any{"type": c.kind, "status": "False", "reason": c.reason, "message": clip(c.message)}
		if s.standard {
			condition["observedGeneration"] = s.generation
			condition["lastTransitionTime"] = transition(s.template, condition, before)
		}
		list = append(list, condition)
	}
	slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(kindOf(a), kindOf(b)) })
	out["conditions"] = list
}

func kindOf(condition any) string {
	object, _ := condition.(map[string]any)
	kind, _ := object["type"].(string)
	return kind
}

// Asked compares what is updated with what the template asks for: asked is the number of replicas that may be updated, and total the
// fleet's. It judges a rollout that all members have taken up and of whose old replicas some still run; with other totals, as where
// every member has all replicas or replicas are on their way, it does not judge.
func (s *Status) Asked(asked, total int32) {
	s.Add(func(members []family.Member, into map[string]any) error {
		if s.generation != s.template.GetGeneration() || s.generation == 0 || field.Label(s.template.Object, mark.Retain) != "" ||
			field.Annotation(s.template.Object, mark.Retain) != "" {
			return nil
		}
		updated, _ := into["updatedReplicas"].(int64)
		replicas, _ := into["replicas"].(int64)
		if replicas != int64(total) || updated >= replicas || updated <= int64(asked) {
			return nil
		}
		var where []string
		for _, m := range members {
			n, err := field.Count(m.Status, 0, "updatedReplicas")
			if err != nil {
				return At(m, err)
			}
			with, err := field.String(m.Status, CreatedWith)
			if err != nil {
				return At(m, err)
			}
			switch {
			case n > 0 && with != "":
				where = append(where, fmt.Sprintf("%s %d (created with the new template)", m.Cluster, n))
			case n > 0:
				where = append(where, fmt.Sprintf("%s %d", m.Cluster, n))
			}
		}
		s.own = append(s.own, ownCondition{
			kind: ConditionRolloutAsAsked, reason: ReasonMoreUpdated,
			message: fmt.Sprintf("asked %d of %d updated, %d are: %s", asked, total, updated, strings.Join(where, ", ")),
		})
		return nil
	})
}
