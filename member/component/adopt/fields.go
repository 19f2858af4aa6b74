package adopt

import (
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// remove takes the field at path out, in place. Nothing is done where the path leads nowhere.
func remove(object any, path fieldpath.Path) {
	if len(path) == 0 {
		return
	}
	first, last := path[0], len(path) == 1
	switch {
	case first.FieldName != nil:
		fields, _ := object.(map[string]any)
		if last {
			delete(fields, *first.FieldName)
			return
		}
		remove(fields[*first.FieldName], path[1:])
	case first.Key != nil:
		items, _ := object.([]any)
		for _, item := range items {
			if !last && matches(item, first) {
				remove(item, path[1:])
			}
		}
	}
	// Entries of sets and whole entries of lists stay: a list without them is another list, and never a default.
}

// matches is true of the list's entry that a key names.
func matches(item any, element fieldpath.PathElement) bool {
	fields, ok := item.(map[string]any)
	if !ok {
		return false
	}
	for _, key := range *element.Key {
		if !value.Equals(key.Value, value.NewValueInterface(fields[key.Name])) {
			return false
		}
	}
	return true
}

// owns is true where the set has the field or one below it. field is written as differ writes it: list entries by number.
func owns(set *fieldpath.Set, field string) bool {
	bare := strings.Split(field, "[")[0]
	found := false
	set.Iterate(func(path fieldpath.Path) {
		text := strings.TrimPrefix(path.String(), ".")
		found = found || text == bare || strings.HasPrefix(text, bare+".") || strings.HasPrefix(text, bare+"[")
	})
	return found
}

// differ walks both and notes where they differ.
func differ(live, would any, path string, found []string) []string {
	return walk(live, would, path, found, func(path string, live, would any) string {
		return fmt.Sprintf("%s is %s and would be %s", path, short(live), short(would))
	})
}

// vanished walks both and names where they differ.
func vanished(live, would any, path string, found []string) []string {
	return walk(live, would, path, found, func(path string, _, _ any) string { return path })
}

func walk(live, would any, path string, found []string, note func(path string, live, would any) string) []string {
	if reflect.DeepEqual(live, would) {
		return found
	}
	liveMap, isMap := live.(map[string]any)
	wouldMap, wouldBeMap := would.(map[string]any)
	if isMap && wouldBeMap {
		for _, key := range sets.List(sets.KeySet(liveMap).Union(sets.KeySet(wouldMap))) {
			found = walk(liveMap[key], wouldMap[key], path+"."+key, found, note)
		}
		return found
	}
	liveList, isList := live.([]any)
	wouldList, wouldBeList := would.([]any)
	if isList && wouldBeList {
		for i := range max(len(liveList), len(wouldList)) {
			found = walk(at(liveList, i), at(wouldList, i), fmt.Sprintf("%s[%d]", path, i), found, note)
		}
		return found
	}
	return append(found, note(path, live, would))
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

func short(value any) string {
	text := "absent"
	switch value := value.(type) {
	case nil:
	case map[string]any:
		text = "{" + strings.Join(sets.List(sets.KeySet(value)), ", ") + "}"
		if name, named := value["name"].(string); named {
			text = name
		}
	case []any:
		text = fmt.Sprintf("a list of %d", len(value))
	default:
		text = fmt.Sprint(value)
	}
	if len(text) > 80 {
		text = strings.ToValidUTF8(text[:77], "") + "..."
	}
	return text
}

// most of what a person is told at once.
const most = 4

func tell(all []string) string {
	if len(all) > most {
		return strings.Join(all[:most], "; ") + fmt.Sprintf("; and %d more", len(all)-most)
	}
	return strings.Join(all, "; ")
}
