package servicecomponent

import (
	"maps"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/retain"
	"github.com/argosy-dev/argosy/interpreter/share"
)

// steps are those of a canary. A number, or a percentage of the fleet, says how many replicas of the fleet are new after it; what it holds
// back, replicas - number, is a partition, and package share divides partitions. It reads and writes fields of objects,
// not elements of lists, so the steps are laid out as fields of an object of their own, under the annotations of the
// real one.
type steps struct {
	list     []any
	replicas int32
	fields   []share.Field
	held     *unstructured.Unstructured
}

func readSteps(object *unstructured.Unstructured, replicas int32) (steps, error) {
	s := steps{replicas: replicas, held: &unstructured.Unstructured{}}
	var err error
	if s.list, err = field.Slice(object.Object, stepsPath...); err != nil || len(s.list) == 0 {
		return s, err
	}
	held := map[string]any{}
	for i, item := range s.list {
		path := field.Index(stepsPath, i)
		step, ok := item.(map[string]any)
		if !ok {
			return s, field.Errorf(path, "want an object, have %v", item)
		}
		number, err := field.IntOrPercent(step, "replicas")
		if err != nil {
			return s, field.Under(err, path...)
		}
		key := strconv.Itoa(i)
		s.fields = append(s.fields, share.Field{Name: "canary-step-" + key, Path: []string{"held", key}, Meaning: share.Held})
		switch {
		case number == nil:
		case number.Type == intstr.Int:
			held[key] = int64(replicas - min(number.IntVal, replicas))
		case !retain.OwnsReplicas(object):
			// A percentage of the fleet, of which at least one replica is new. A member's manifest has none any more.
			count, err := intstr.GetScaledValueFromIntOrPercent(number, int(replicas), true)
			if err != nil {
				return s, field.Errorf(append(path, "replicas"), "%v", err)
			}
			held[key] = int64(replicas - int32(min(max(count, 0), int(replicas))))
		}
	}
	s.held.Object = map[string]any{"held": held}
	if metadata, ok := object.Object["metadata"]; ok {
		s.held.Object["metadata"] = metadata
	}
	return s, nil
}

func (s steps) revise(target family.Target) (edit.List, error) {
	edits, err := share.Revise(s.held, share.Asked{Target: target, Total: s.replicas}, s.fields)
	if err != nil {
		return nil, err
	}
	// Every step that share left alone holds nothing or everything back, in a member as in the fleet.
	for key, held := range s.held.Object["held"].(map[string]any) {
		switch held.(int64) {
		case 0:
			edits = append(edits, edit.Set(int64(0), "held", key))
		case int64(s.replicas):
			edits = append(edits, edit.Set(int64(target.Replicas), "held", key))
		}
	}
	return s.translate(edits, target.Replicas), nil
}

// dispatch is the part of the steps that is the destination's. An override of any step is one of the list.
func (s steps) dispatch(to family.Destination) (edit.List, error) {
	overridden := to.Overridden(stepsPath...)
	to.Overridden = func(...string) bool { return overridden }
	edits, err := share.Dispatch(s.held, s.replicas, to, s.fields)
	if err != nil {
		return nil, err
	}
	return s.translate(edits, s.replicas), nil
}

// translate turns what a step holds back of a member's replicas into the step, and leaves annotations as they are.
func (s steps) translate(edits edit.List, replicas int32) edit.List {
	var out edit.List
	var list []any
	for _, e := range edits {
		if e.Path[0] != "held" {
			out = append(out, e)
			continue
		}
		if list == nil {
			list = append(list, s.list...)
		}
		i, _ := strconv.Atoi(e.Path[1])
		held, _ := e.Value.(int64)
		list[i] = withReplicas(list[i].(map[string]any), max(0, int64(replicas)-held))
	}
	if list != nil {
		out = append(out, edit.Set(list, stepsPath...))
	}
	return out
}

func withReplicas(step map[string]any, replicas int64) map[string]any {
	out := maps.Clone(step)
	out["replicas"] = replicas
	return out
}
