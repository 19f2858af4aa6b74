package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// merge lays all layers of one object over each other; workload is the workload as it came out, for those that follow it.
func (r *renderer) merge(w *wanted, workload map[string]any) (Object, error) {
	k := kinds[w.kind]
	object := r.skeleton(w.identity, workload)
	var from []string
	for _, l := range w.templates {
		merged, err := l.over(object, k)
		if err != nil {
			return Object{}, err
		}
		object, from = merged, appendOnce(from, l.from)
	}
	own, err := r.specLayer(w.identity, object)
	if err != nil {
		return Object{}, err
	}
	if own != nil {
		merged, err := own.over(object, k)
		if err != nil {
			return Object{}, err
		}
		object, from = merged, append(from, own.from)
	}
	for _, l := range w.patches {
		merged, err := l.over(object, k)
		if err != nil {
			return Object{}, err
		}
		object, from = merged, append(from, l.from)
	}
	if w.kind == r.workloadKind() {
		if err := r.check(object, from); err != nil {
			return Object{}, err
		}
	}
	r.identify(object, w.identity)
	return r.finished(w.identity, object, from)
}

func appendOnce(list []string, value string) []string {
	if slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}

// over merges the layer into the object, in place.
func (l layer) over(object map[string]any, k kind) (map[string]any, error) {
	before := runtime.DeepCopyJSON(object)
	merged, err := strategicpatch.StrategicMergeMapPatchUsingLookupPatchMeta(object, l.patch, k.schema)
	if err != nil {
		return nil, l.at.under(l.at.Field, err)
	}
	keepOrder(before, map[string]any(merged))
	return merged, nil
}

func (r *renderer) finished(id identity, object map[string]any, from []string) (Object, error) {
	dropLeftovers(object)
	raw, err := json.Marshal(object)
	if err != nil {
		return Object{}, r.componentError(field.NewPath("spec"), fmt.Errorf("writing %s %s: %w", id.kind, id.name, err))
	}
	sum := sha256.Sum256(raw)
	return Object{
		APIVersion: kinds[id.kind].apiVersion, Kind: string(id.kind), Namespace: r.component.Namespace, Name: id.name,
		Content: object, JSON: raw, Hash: hex.EncodeToString(sum[:]), From: from,
	}, nil
}

func hashOf(objects []Object) string {
	all := sha256.New()
	for _, o := range objects {
		all.Write(o.JSON)
		all.Write([]byte{'\n'})
	}
	return hex.EncodeToString(all.Sum(nil))
}

// dropLeftovers removes nulls and directives, in place. The merge carries out a directive only over something that was
// there before, and takes over the rest of a patch as it stands.
func dropLeftovers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			if strings.HasPrefix(key, "$") || isLeftover(v) {
				delete(value, key)
				continue
			}
			value[key] = dropLeftovers(v)
		}
	case []any:
		kept := slices.DeleteFunc(value, isLeftover)
		for i, v := range kept {
			kept[i] = dropLeftovers(v)
		}
		return kept
	}
	return value
}

// isLeftover is true of a null, of what a directive takes away, and of a list's entry that is nothing but a directive.
func isLeftover(value any) bool {
	if value == nil {
		return true
	}
	object, _ := value.(map[string]any)
	directive, given := object["$patch"]
	return given && (directive == "delete" || len(object) == 1)
}

// fits says where a partial object of a kind says what that kind has not, or what is not for it to say.
func fits(patch map[string]any, k v1alpha1.TemplateObjectKind, path *field.Path) (*field.Path, error) {
	for _, known := range []struct{ key, value string }{{"apiVersion", kinds[k].apiVersion}, {"kind", string(k)}} {
		if have, given := patch[known.key]; given && have != known.value {
			return path.Child(known.key), fmt.Errorf("%v is not %s", have, known.value)
		}
	}
	if _, given := patch["status"]; given {
		return path.Child("status"), errors.New("a status is observed, not written")
	}
	metadata, isMap := patch["metadata"].(map[string]any)
	if _, given := patch["metadata"]; given && !isMap {
		return path.Child("metadata"), errors.New("must be an object")
	}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if key != "labels" && key != "annotations" {
			return path.Child("metadata", key), errors.New("only labels and annotations can be said of the metadata")
		}
	}
	if directive := mistaken(patch); directive != "" {
		return path, fmt.Errorf("%s cannot stand at the top of an object", directive)
	}
	if orders(patch) {
		return path, errors.New("$setElementOrder cannot be used: what was there stays in front, in its order")
	}
	raw, err := json.Marshal(withoutDirectives(patch))
	if err != nil {
		return path, err
	}
	strict, err := kjson.UnmarshalStrict(raw, reflect.New(kinds[k].typ).Interface())
	if err == nil && len(strict) > 0 {
		err = strict[0]
	}
	return path, err
}

// mistaken is a directive that would empty or replace the whole object.
func mistaken(patch map[string]any) string {
	for _, key := range slices.Sorted(maps.Keys(patch)) {
		if strings.HasPrefix(key, "$") {
			return key
		}
	}
	return ""
}

// withoutDirectives is a copy without what only the merge understands, such as $patch: replace.
func withoutDirectives(value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(value))
		for key, v := range value {
			if !strings.HasPrefix(key, "$") {
				out[key] = withoutDirectives(v)
			}
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, v := range value {
			out[i] = withoutDirectives(v)
		}
		return out
	}
	return value
}
