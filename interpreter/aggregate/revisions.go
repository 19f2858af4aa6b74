package aggregate

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// Revisions puts updateRevision and currentRevision into a status: the revision being rolled out, as the members that
// have the present template name it, and the one it replaces: while any member still has an older one, that is shown.
func Revisions(object *unstructured.Unstructured, members []family.Member, into map[string]any) error {
	update, err := UpdatedText(object, members, "updateRevision")
	if err != nil {
		return err
	}
	old, err := Text(members, "currentRevision", update)
	if err != nil {
		return err
	}
	if update != "" {
		into["updateRevision"] = update
		into["currentRevision"] = update
	}
	if old != "" {
		into["currentRevision"] = old
	}
	return nil
}

// UpdatedText is a text of the members' statuses, as the members that have the present template say it; while none
// has, as any says it.
func UpdatedText(object *unstructured.Unstructured, members []family.Member, name string) (string, error) {
	var current []family.Member
	for _, m := range members {
		ok, err := Current(m, object.GetGeneration())
		if err != nil {
			return "", err
		}
		if ok {
			current = append(current, m)
		}
	}
	if len(current) == 0 {
		current = members
	}
	return Text(current, name)
}

// Selector puts the label selector of the scale subresource into a status under name: an autoscaler needs it also
// before any member has reported, so then it is made of spec.selector.
func Selector(object *unstructured.Unstructured, members []family.Member, into map[string]any, name string) error {
	text, err := Text(members, name)
	if err != nil {
		return err
	}
	if text == "" {
		if text, err = selector(object); err != nil {
			return err
		}
	}
	if text != "" {
		into[name] = text
	}
	return nil
}

func selector(object *unstructured.Unstructured) (string, error) {
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
