package peer

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Difference is one place where the answers are not the same. Absent is nil.
type Difference struct {
	Path      string
	Lua, Ours any
}

func (d Difference) String() string { return fmt.Sprintf("%s: lua %v, ours %v", d.Path, d.Lua, d.Ours) }

// Differences are the deepest places where two answers are not the same, in the order of their paths.
func Differences(lua, ours Answer) []Difference {
	if lua["error"] != ours["error"] {
		return []Difference{{Path: "error", Lua: lua["error"], Ours: ours["error"]}}
	}
	var out []Difference
	descend(nil, map[string]any(lua), map[string]any(ours), &out)
	return out
}

func descend(path []string, lua, ours any, out *[]Difference) {
	left, leftIs := lua.(map[string]any)
	right, rightIs := ours.(map[string]any)
	// An object on one side and nothing on the other is compared field by field, so that each has its reason.
	if leftIs && (rightIs || ours == nil) || rightIs && lua == nil {
		keys := slices.Collect(maps.Keys(left))
		for key := range right {
			if _, ok := left[key]; !ok {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			descend(append(slices.Clone(path), key), left[key], right[key], out)
		}
		return
	}
	if !reflect.DeepEqual(lua, ours) {
		*out = append(*out, Difference{Path: strings.Join(path, "/"), Lua: lua, Ours: ours})
	}
}
