package aggregate

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

func revisions(object *unstructured.Unstructured, members []family.Member, into map[string]any) error {
	update, err := updatedText(object, members, "updateRevision")
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

// updatedText is a text of the members' statuses, as the members that have the present template say it; while none
// has, as any says it.
func updatedText(object *unstructured.Unstructured, members []family.Member, name string) (string, error) {
	var updated []family.Member
	for _, m := range members {
		ok, err := current(m, object.GetGeneration())
		if err != nil {
			return "", err
		}
		if ok {
			updated = append(updated, m)
		}
	}
	if len(updated) == 0 {
		updated = members
	}
	return Text(updated, name)
}

func selector(object *unstructured.Unstructured, members []family.Member, into map[string]any, name string) error {
	text, err := Text(members, name)
	if err != nil {
		return err
	}
	if text == "" {
		if text, err = ownSelector(object); err != nil {
			return err
		}
	}
	if text != "" {
		into[name] = text
	}
	return nil
}

// ownSelector is the template's spec.selector as text; empty when it has none.
func ownSelector(object *unstructured.Unstructured) (string, error) {
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
