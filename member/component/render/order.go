package render

import (
	"slices"
	"strings"
)

// keepOrder puts what a layer added to lists of named things behind what was there, in place. The merge mixes them, and a
// variable may speak only of those before it, as may a person of the first container.
func keepOrder(before, after any) {
	switch before := before.(type) {
	case map[string]any:
		merged, _ := after.(map[string]any)
		for key, value := range before {
			keepOrder(value, merged[key])
		}
	case []any:
		merged, _ := after.([]any)
		places := make(map[string]int, len(before))
		for i, item := range before {
			name, named := nameOf(item)
			if !named {
				return
			}
			places[name] = i
		}
		place := func(item any) int {
			name, _ := nameOf(item)
			if i, was := places[name]; was {
				return i
			}
			return len(before)
		}
		slices.SortStableFunc(merged, func(a, b any) int { return place(a) - place(b) })
		for _, item := range merged {
			if i := place(item); i < len(before) {
				keepOrder(before[i], item)
			}
		}
	}
}

func nameOf(item any) (string, bool) {
	object, _ := item.(map[string]any)
	name, named := object["name"].(string)
	return name, named
}

// orders is true of a patch that sets the order of a list, which is kept here.
func orders(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			if strings.HasPrefix(key, "$setElementOrder/") || orders(v) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, orders)
	}
	return false
}
