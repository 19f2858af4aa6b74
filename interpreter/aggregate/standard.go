package aggregate

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// ReasonMembersUnknown is the reason of a merged condition that is Unknown because members have not reported it.
const ReasonMembersUnknown = "MembersUnknown"

func standardConditions(object *unstructured.Unstructured, members []family.Member, generation int64, good ...string) ([]any, error) {
	merged, err := conditions(members, good...)
	if err != nil {
		return nil, err
	}
	before, err := field.Slice(object.Object, "status", "conditions")
	if err != nil {
		return nil, err
	}
	for _, item := range merged {
		condition, _ := item.(map[string]any)
		condition["observedGeneration"] = generation
		if _, ok := condition["reason"]; !ok {
			condition["reason"] = ReasonMembersUnknown
		}
		if _, ok := condition["message"]; !ok {
			condition["message"] = silent(members, condition["type"])
		}
		condition["lastTransitionTime"] = transition(object, condition, before)
	}
	return merged, nil
}

// transition is when a merged condition took its status.
func transition(object *unstructured.Unstructured, condition map[string]any, before []any) any {
	for _, item := range before {
		old, _ := item.(map[string]any)
		if old["type"] == condition["type"] && old["status"] == condition["status"] && old["lastTransitionTime"] != nil {
			return old["lastTransitionTime"]
		}
	}
	if since, ok := condition["lastTransitionTime"]; ok {
		return since
	}
	// Nobody said since when it is unknown; it has been at most since the object exists.
	created, _, _ := unstructured.NestedString(object.Object, "metadata", "creationTimestamp")
	if created == "" {
		return "1970-01-01T00:00:00Z"
	}
	return created
}

// silent names the members that do not report a condition.
func silent(members []family.Member, kind any) string {
	var names []string
	for _, m := range members {
		list, _ := m.Status["conditions"].([]any)
		reported := slices.ContainsFunc(list, func(item any) bool {
			condition, _ := item.(map[string]any)
			return condition["type"] == kind
		})
		if !reported {
			names = append(names, m.Cluster)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return text.Cut("not reported by "+strings.Join(names, ", "), maxMessage)
}

// noteHidden says in the condition of a type that a united list was cut.
func noteHidden(conditions []any, kind string, hidden int) {
	if hidden == 0 {
		return
	}
	for _, item := range conditions {
		if condition, _ := item.(map[string]any); condition["type"] == kind {
			message, _ := condition["message"].(string)
			condition["message"] = strings.TrimPrefix(message+"; "+strconv.Itoa(hidden)+" more are not shown", "; ")
		}
	}
}

// ConditionIs is true when the object's status has the condition, with this status.
func ConditionIs(object map[string]any, kind, status string) (bool, error) {
	list, err := field.Slice(object, "status", "conditions")
	if err != nil {
		return false, err
	}
	for _, item := range list {
		if condition, _ := item.(map[string]any); condition["type"] == kind {
			return condition["status"] == status, nil
		}
	}
	return false, nil
}
