package install

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Difference is what an installation would do to an object.
type Difference struct {
	// Object as KIND NAME.
	Object string
	// Missing: it is not there. Otherwise it is there and says something else.
	Missing bool
	// Before and After are what it says, and would say; of a missing object nothing.
	Before, After map[string]any
}

// Fields shows in which fields two states of an object differ, a line for each.
type Fields func(before, after map[string]any) (string, error)

// Kept are the objects of karmada-apiserver that are the same in every installation: kinds, the users' roles and the programs' roles.
// The registrations bear an address and an authority, and the bindings an account, of one installation alone.
func Kept() ([]*unstructured.Unstructured, error) {
	kept, err := CRDs()
	if err != nil {
		return nil, err
	}
	roles, err := UserRoles()
	if err != nil {
		return nil, err
	}
	kept = append(kept, roles...)
	for _, part := range Parts() {
		rights, err := Rights(part, nil)
		if err != nil {
			return nil, err
		}
		for _, object := range rights {
			if kind := object.GetKind(); kind == "Role" || kind == "ClusterRole" {
				kept = append(kept, object)
			}
		}
	}
	return kept, nil
}

// Compare asks the API server what applying the objects would change beside their metadata. It changes nothing, and needs the right to
// apply them.
func Compare(ctx context.Context, c client.Client, objects []*unstructured.Unstructured) ([]Difference, error) {
	return compare(ctx, c, objects, said)
}

func compare(ctx context.Context, c client.Client, objects []*unstructured.Unstructured,
	says func(*unstructured.Unstructured) map[string]any) ([]Difference, error) {
	var out []Difference
	for _, object := range objects {
		before := newObject(object.GetAPIVersion(), object.GetKind(), "", "")
		there, err := present(c.Get(ctx, client.ObjectKeyFromObject(object), before))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", describe(object), err)
		}
		if !there {
			out = append(out, Difference{Object: describe(object), Missing: true})
			continue
		}
		after := object.DeepCopy()
		if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(after), client.FieldOwner(Manager), client.ForceOwnership,
			client.DryRunAll); err != nil {
			return nil, fmt.Errorf("applying %s, without effect: %w", describe(object), err)
		}
		if was, is := says(before), says(after); !equality.Semantic.DeepEqual(was, is) {
			out = append(out, Difference{Object: describe(object), Before: was, After: is})
		}
	}
	return out, nil
}

// said is what an object says beside its metadata and status.
func said(object *unstructured.Unstructured) map[string]any {
	fields := maps.Clone(object.Object)
	maps.DeleteFunc(fields, func(name string, _ any) bool { return slices.Contains([]string{"metadata", "status"}, name) })
	return fields
}

// saidAndMarked is that, with labels and annotations.
func saidAndMarked(object *unstructured.Unstructured) map[string]any {
	fields, marks := said(object), map[string]any{}
	for _, name := range []string{"labels", "annotations"} {
		if mark, found, err := unstructured.NestedFieldNoCopy(object.Object, "metadata", name); found && err == nil {
			marks[name] = mark
		}
	}
	fields["metadata"] = marks
	return fields
}
