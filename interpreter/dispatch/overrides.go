package dispatch

import (
	"reflect"
	"strconv"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util"
	kjson "sigs.k8s.io/json"

	"github.com/argosy-dev/argosy/interpreter/field"
)

// override is one value an OverridePolicy or ClusterOverridePolicy gave to a field. Of the kinds of overriders only plaintext sets
// numbers of a workload; the others change images, commands, arguments, labels, annotations, and texts inside a field.
type override struct {
	path  []string
	value any
}

type overrides []override

// appliedOverrides are those Karmada has noted on a Work (RecordAppliedOverrides of its pkg/controllers/binding).
func appliedOverrides(annotations map[string]string) (overrides, error) {
	var out overrides
	for _, key := range []string{util.AppliedClusterOverrides, util.AppliedOverrides} {
		text := annotations[key]
		if text == "" {
			continue
		}
		// OverridePolicyShadow of Karmada's pkg/util/overridemanager.
		var items []struct {
			Overriders policyv1alpha1.Overriders `json:"overriders"`
		}
		at := []string{"metadata", "annotations[" + key + "]"}
		if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(text), &items); err != nil {
			return nil, field.Errorf(at, "%v", err)
		}
		for _, item := range items {
			for _, plain := range item.Overriders.Plaintext {
				o := override{path: tokens(plain.Path)}
				if plain.Operator == policyv1alpha1.OverriderOpRemove {
					continue // What is not there any more is not divided.
				}
				if err := kjson.UnmarshalCaseSensitivePreserveInts(plain.Value.Raw, &o.value); err != nil {
					return nil, field.Errorf(at, "value for %s: %v", plain.Path, err)
				}
				out = append(out, o)
			}
		}
	}
	return out, nil
}

// touch is true when an override in force set the field at path, something above it or something below it. Karmada never takes an old
// note off a Work: a note is in force where the manifest bears its value, for overrides are applied last.
func (all overrides) touch(manifest map[string]any, path []string) bool {
	for _, o := range all {
		if !within(o.path, path) && !within(path, o.path) {
			continue
		}
		if have, ok := lookup(manifest, o.path); ok && reflect.DeepEqual(have, o.value) {
			return true
		}
	}
	return false
}

// within is true when path is at or below top.
func within(path, top []string) bool {
	return len(path) >= len(top) && reflect.DeepEqual(path[:len(top)], top)
}

// lookup is the value at a path through objects and lists.
func lookup(value any, path []string) (any, bool) {
	for _, key := range path {
		switch in := value.(type) {
		case map[string]any:
			next, ok := in[key]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(in) {
				return nil, false
			}
			value = in[i]
		default:
			return nil, false
		}
	}
	return value, true
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// tokens of a JSON pointer (RFC 6901).
func tokens(pointer string) []string {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i := range parts {
		parts[i] = unescape.Replace(parts[i])
	}
	return parts
}
