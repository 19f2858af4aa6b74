package edit

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/argosy-dev/argosy/interpreter/field"
)

// Edit sets or removes one field.
type Edit struct {
	// Path from the object's root, through objects only (never into a list).
	Path []string
	// Value as JSON decoders produce it: map[string]any, []any, string, int64, float64, bool.
	Value any
	// Remove takes the field away; Value is not read.
	Remove bool
}

// List is a rule's whole answer, applied in order.
type List []Edit

// Set is an edit that gives the field at path a value.
func Set(value any, path ...string) Edit { return Edit{Path: path, Value: value} }

// Remove is an edit that takes the field at path away.
func Remove(path ...string) Edit { return Edit{Path: path, Remove: true} }

// Annotate is an edit that gives the object an annotation.
func Annotate(key, value string) Edit { return Set(value, "metadata", "annotations", key) }

// Apply makes the edits in obj; of two edits of one field the later holds. On an error obj may hold some of them: give it a copy where that
// matters.
func (l List) Apply(obj map[string]any) error {
	for i, e := range l {
		parent, missing, err := descend(obj, e.Path)
		if err != nil {
			return err
		}
		if l[i+1:].covers(e.Path) {
			continue
		}
		last := e.Path[len(e.Path)-1]
		if e.Remove {
			if len(missing) == 0 {
				delete(parent, last)
			}
			continue
		}
		for _, key := range missing {
			child := map[string]any{}
			parent[key] = child
			parent = child
		}
		parent[last] = e.Value
	}
	return nil
}

// add is a line of a JSON patch that sets a field, present or not; its value is written even when null, false or 0.
type add struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// removal is a line of a JSON patch without a value.
type removal struct {
	Op   string `json:"op"`
	Path string `json:"path"`
}

// Patch is the JSON patch that makes the edits in obj, which is only read; nil when they change nothing.
func (l List) Patch(obj map[string]any) ([]byte, error) {
	var operations []any
	var created []string
	for i, e := range l {
		parent, missing, err := descend(obj, e.Path)
		if err != nil {
			return nil, err
		}
		if l[i+1:].covers(e.Path) {
			continue
		}
		last := e.Path[len(e.Path)-1]
		have, present := parent[last]
		switch {
		case e.Remove && len(missing) == 0 && present:
			operations = append(operations, removal{Op: "remove", Path: pointer(e.Path)})
		case e.Remove, len(missing) == 0 && present && same(have, e.Value):
		default:
			above := len(e.Path) - 1 - len(missing)
			for depth := range missing {
				path := pointer(e.Path[:above+depth+1])
				if !slices.Contains(created, path) {
					created = append(created, path)
					operations = append(operations, add{Op: "add", Path: path, Value: struct{}{}})
				}
			}
			operations = append(operations, add{Op: "add", Path: pointer(e.Path), Value: e.Value})
		}
	}
	if len(operations) == 0 {
		return nil, nil
	}
	return json.Marshal(operations)
}

// covers is true when an edit of the list is of the same field.
func (l List) covers(path []string) bool {
	for _, e := range l {
		if slices.Equal(e.Path, path) {
			return true
		}
	}
	return false
}

// descend is the object that holds the path's last element, or the deepest that exists and the keys missing below it.
// Null counts as missing.
func descend(obj map[string]any, path []string) (parent map[string]any, missing []string, err error) {
	parent = obj
	for i := range len(path) - 1 {
		switch next := parent[path[i]].(type) {
		case map[string]any:
			parent = next
		case nil:
			return parent, path[i : len(path)-1], nil
		default:
			return nil, nil, field.Errorf(path[:i+1], "want an object, have %v", next)
		}
	}
	return parent, nil, nil
}

// same is true when writing want over have would change nothing.
func same(have, want any) bool {
	switch w := want.(type) {
	case string, bool, int64, float64, nil:
		return have == w
	}
	return reflect.DeepEqual(have, want)
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// pointer is a path as a JSON pointer (RFC 6901).
func pointer(path []string) string {
	var out strings.Builder
	for _, key := range path {
		out.WriteByte('/')
		_, _ = escape.WriteString(&out, key)
	}
	return out.String()
}
