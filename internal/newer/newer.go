package newer

import (
	"context"
	"fmt"
	"maps"
	"reflect"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// identities are the fields that tell items of Karmada's lists apart.
var identities = []string{"name", "affinityName"}

// Get reads the object of known's name past every cache, fills known with what its type understands, and returns all that was sent.
func Get(ctx context.Context, control client.Client, reader client.Reader, known client.Object) (*unstructured.Unstructured, error) {
	kind, err := control.GroupVersionKindFor(known)
	if err != nil {
		return nil, err
	}
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(kind)
	if err := reader.Get(ctx, client.ObjectKeyFromObject(known), raw); err != nil {
		return nil, err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, known); err != nil {
		return nil, fmt.Errorf("decoding %s %s/%s: %w", kind.Kind, raw.GetNamespace(), raw.GetName(), err)
	}
	return raw, nil
}

// Patch sends how next, which began as what Get filled, differs from raw; next is then what was answered. It is a conflict if the object
// changed since it was read.
func Patch(ctx context.Context, control client.Client, raw *unstructured.Unstructured, next client.Object,
	opts ...client.PatchOption) error {
	changed, err := Carry(raw, next)
	if err != nil {
		return err
	}
	patch, err := client.MergeFromWithOptions(raw, client.MergeFromWithOptimisticLock{}).Data(changed)
	if err != nil {
		return fmt.Errorf("encoding the patch of %s %s/%s: %w", raw.GetKind(), raw.GetNamespace(), raw.GetName(), err)
	}
	return control.Patch(ctx, next, client.RawPatch(types.MergePatchType, patch), opts...)
}

// Carry returns raw with what was changed in next, a decoded copy of it. Fields that its type does not know stay, also in items of
// lists: those with a name of their own, and those of which nothing was changed. Another item that was changed is as next has it.
func Carry(raw *unstructured.Unstructured, next client.Object) (*unstructured.Unstructured, error) {
	known := reflect.New(reflect.TypeOf(next).Elem()).Interface()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, known); err != nil {
		return nil, fmt.Errorf("decoding %s %s/%s: %w", raw.GetKind(), raw.GetNamespace(), raw.GetName(), err)
	}
	before, err := runtime.DefaultUnstructuredConverter.ToUnstructured(known)
	if err != nil {
		return nil, fmt.Errorf("encoding %s %s/%s: %w", raw.GetKind(), raw.GetNamespace(), raw.GetName(), err)
	}
	after, err := runtime.DefaultUnstructuredConverter.ToUnstructured(next)
	if err != nil {
		return nil, fmt.Errorf("encoding %s %s/%s: %w", raw.GetKind(), raw.GetNamespace(), raw.GetName(), err)
	}
	changed := carryFields(raw.Object, before, after)
	// A decoded object may bear its kind or not: it never changes.
	changed["apiVersion"], changed["kind"] = raw.GetAPIVersion(), raw.GetKind()
	return &unstructured.Unstructured{Object: changed}, nil
}

func carry(raw, before, after any) any {
	if equality.Semantic.DeepEqual(before, after) {
		return raw
	}
	switch after := after.(type) {
	case map[string]any:
		before, wasFields := before.(map[string]any)
		raw, isFields := raw.(map[string]any)
		if wasFields && isFields {
			return carryFields(raw, before, after)
		}
	case []any:
		before, wasList := before.([]any)
		raw, isList := raw.([]any)
		if wasList && isList && len(raw) == len(before) {
			return carryItems(raw, before, after)
		}
	}
	return after
}

func carryFields(raw, before, after map[string]any) map[string]any {
	out := maps.Clone(raw)
	for field := range before {
		if _, stays := after[field]; !stays {
			delete(out, field)
		}
	}
	for field, value := range after {
		carried := carry(raw[field], before[field], value)
		if _, was := raw[field]; was || carried != nil {
			out[field] = carried
		}
	}
	return out
}

func carryItems(raw, before, after []any) []any {
	out, taken := make([]any, len(after)), make([]bool, len(before))
	for i, item := range after {
		out[i] = item
		for j := range before {
			if !taken[j] && sameItem(before[j], item) {
				out[i], taken[j] = carry(raw[j], before[j], item), true
				break
			}
		}
	}
	return out
}

// sameItem says whether two items of a list are one, before and after a change.
func sameItem(before, after any) bool {
	was, wasFields := before.(map[string]any)
	is, isFields := after.(map[string]any)
	if wasFields && isFields {
		for _, identity := range identities {
			if is[identity] != nil && was[identity] != nil {
				return is[identity] == was[identity]
			}
		}
	}
	return equality.Semantic.DeepEqual(before, after)
}
