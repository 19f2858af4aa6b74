package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
)

// Operation of a Difference, in the words of JSON patch and of Karmada's overriders.
type Operation string

// The operations.
const (
	Add     Operation = "add"
	Remove  Operation = "remove"
	Replace Operation = "replace"
)

// Difference is one field in which two objects differ.
type Difference struct {
	// Path as a JSON pointer (RFC 6901), such as /spec/template/spec/containers/0/image.
	Path string
	// Operation that turns the first object's field into the second's.
	Operation Operation
	// From is the first object's value; nil for Add.
	From any
	// To is the second object's value; nil for Remove.
	To any
}

// Differences turn from into to, field by field, in the order of their paths. Lists of equal length are
// compared item by item; others are replaced whole, since an index means nothing once items moved.
func Differences(from, to map[string]any) []Difference {
	var found []Difference
	compareMaps("", from, to, &found)
	return found
}

func compareMaps(path string, from, to map[string]any, found *[]Difference) {
	for _, key := range sortedKeys(from, to) {
		at := path + "/" + escape(key)
		before, had := from[key]
		after, has := to[key]
		switch {
		case !has:
			*found = append(*found, Difference{Path: at, Operation: Remove, From: before})
		case !had:
			*found = append(*found, Difference{Path: at, Operation: Add, To: after})
		default:
			compareValues(at, before, after, found)
		}
	}
}

func compareValues(path string, from, to any, found *[]Difference) {
	switch before := from.(type) {
	case map[string]any:
		if after, ok := to.(map[string]any); ok {
			compareMaps(path, before, after, found)
			return
		}
	case []any:
		if after, ok := to.([]any); ok && len(before) == len(after) {
			for i := range before {
				compareValues(path+"/"+strconv.Itoa(i), before[i], after[i], found)
			}
			return
		}
	}
	if !equality.Semantic.DeepEqual(number(from), number(to)) {
		*found = append(*found, Difference{Path: path, Operation: Replace, From: from, To: to})
	}
}

// number levels the types that decoders give to one number: int64 from the API machinery, float64 from
// encoding/json.
func number(value any) any {
	switch n := value.(type) {
	case int:
		return float64(n)
	case int32:
		return float64(n)
	case int64:
		return float64(n)
	}
	return value
}

// Contains says whether every field of part is in whole with the same value. Whole may have more, such as
// what an API server filled in. The first path that is missing or differs is returned.
func Contains(whole, part any) (string, bool) {
	return contains("", whole, part)
}

// Lacks is the first field that part sets and whole does not have at all; empty when there is none. Other values do not count:
// somebody may divide them.
func Lacks(whole, part map[string]any) string {
	for _, key := range sortedKeys(part, nil) {
		if key == "metadata" || key == "status" {
			continue
		}
		if at := lacks("/"+escape(key), whole[key], part[key]); at != "" {
			return at
		}
	}
	return ""
}

func lacks(path string, whole, part any) string {
	switch want := part.(type) {
	case map[string]any:
		have, ok := whole.(map[string]any)
		if !ok {
			return path
		}
		for _, key := range sortedKeys(want, nil) {
			value, there := have[key]
			if !there && empty(want[key]) {
				continue
			}
			if at := lacks(path+"/"+escape(key), value, want[key]); at != "" {
				return at
			}
		}
	case []any:
		have, ok := whole.([]any)
		if !ok {
			return path
		}
		for i := range min(len(have), len(want)) {
			if at := lacks(path+"/"+strconv.Itoa(i), have[i], want[i]); at != "" {
				return at
			}
		}
	default:
		if whole == nil && want != nil {
			return path
		}
	}
	return ""
}

func contains(path string, whole, part any) (string, bool) {
	switch want := part.(type) {
	case map[string]any:
		have, ok := whole.(map[string]any)
		if !ok {
			return path, false
		}
		for _, key := range sortedKeys(want, nil) {
			value, ok := have[key]
			if !ok {
				if empty(want[key]) {
					continue
				}
				return path + "/" + escape(key), false
			}
			if at, ok := contains(path+"/"+escape(key), value, want[key]); !ok {
				return at, false
			}
		}
		return "", true
	case []any:
		have, ok := whole.([]any)
		if !ok || len(have) != len(want) {
			return path, false
		}
		for i := range want {
			if at, ok := contains(path+"/"+strconv.Itoa(i), have[i], want[i]); !ok {
				return at, false
			}
		}
		return "", true
	default:
		return path, equality.Semantic.DeepEqual(number(whole), number(part))
	}
}

// empty values disappear when an API server stores them.
func empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func sortedKeys(a, b map[string]any) []string {
	keys := make([]string, 0, len(a)+len(b))
	for key := range a {
		keys = append(keys, key)
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// Human writes a JSON pointer the way people name fields: /spec/containers/0/image becomes
// spec.containers[0].image, and keys with dots or slashes are put in brackets.
func Human(pointer string) string {
	var out strings.Builder
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch {
		case isIndex(token):
			fmt.Fprintf(&out, "[%s]", token)
		case strings.ContainsAny(token, "./"):
			fmt.Fprintf(&out, "[%q]", token)
		case out.Len() == 0:
			out.WriteString(token)
		default:
			out.WriteString("." + token)
		}
	}
	return out.String()
}

func isIndex(token string) bool {
	_, err := strconv.ParseUint(token, 10, 32)
	return err == nil
}
