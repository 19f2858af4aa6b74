package gate

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
)

// Touched are the fields, sorted, in which two versions of an object differ that a person can write: metadata's, and each of the spec.
func Touched(before, after map[string]any) []string {
	var out []string
	for _, field := range []string{"annotations", "finalizers", "labels", "ownerReferences"} {
		if !same(member(before, "metadata")[field], member(after, "metadata")[field]) {
			out = append(out, "metadata."+field)
		}
	}
	old, next := member(before, "spec"), member(after, "spec")
	fields := slices.AppendSeq(slices.Collect(maps.Keys(old)), maps.Keys(next))
	slices.Sort(fields)
	for _, field := range slices.Compact(fields) {
		// An empty list is none, and an empty object says something: that a Migration is rolled back, say.
		_, object := next[field].(map[string]any)
		if _, was := old[field].(map[string]any); object != was || !same(old[field], next[field]) {
			out = append(out, "spec."+field)
		}
	}
	return out
}

// same takes an empty list or map for an absent one.
func same(a, b any) bool { return equality.Semantic.DeepEqual(a, b) || empty(a) && empty(b) }

func empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func member(object map[string]any, name string) map[string]any {
	m, _ := object[name].(map[string]any)
	return m
}
