package cloneset

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// counts are summed over the members.
var counts = []string{
	"replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "updatedReadyReplicas",
	"updatedAvailableReplicas", "expectedUpdatedReplicas",
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
	revisions, err := revisions(object, members)
	if err != nil {
		return nil, err
	}
	maps.Copy(status, revisions)
	selector, err := labelSelector(object, members)
	if err != nil {
		return nil, err
	}
	if selector != "" {
		status["labelSelector"] = selector
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

// revisions names the revision being rolled out, as the members that have the present template name it, and the one
// it replaces: while any member still has pods of an older one, that is shown.
func revisions(object *unstructured.Unstructured, members []family.Member) (map[string]any, error) {
	var current []family.Member
	for _, m := range members {
		ok, err := aggregate.Current(m, object.GetGeneration())
		if err != nil {
			return nil, err
		}
		if ok {
			current = append(current, m)
		}
	}
	if len(current) == 0 {
		current = members
	}
	update, err := aggregate.Text(current, "updateRevision")
	if err != nil {
		return nil, err
	}
	old, err := aggregate.Text(members, "currentRevision", update)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if update != "" {
		out["updateRevision"] = update
		out["currentRevision"] = update
	}
	if old != "" {
		out["currentRevision"] = old
	}
	return out, nil
}

// labelSelector is read by the scale subresource: an autoscaler needs it also before any member has reported.
func labelSelector(object *unstructured.Unstructured, members []family.Member) (string, error) {
	selector, err := aggregate.Text(members, "labelSelector")
	if selector != "" || err != nil {
		return selector, err
	}
	from, err := field.Map(object.Object, "spec", "selector")
	if from == nil {
		return "", err
	}
	var typed metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(from, &typed); err != nil {
		return "", field.Errorf([]string{"spec", "selector"}, "%v", err)
	}
	parsed, err := metav1.LabelSelectorAsSelector(&typed)
	if err != nil {
		return "", field.Errorf([]string{"spec", "selector"}, "%v", err)
	}
	return parsed.String(), nil
}
