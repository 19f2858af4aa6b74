package depend

import (
	"slices"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"

	"github.com/argosy-dev/argosy/interpreter/field"
)

// Kinds of the core API that workloads depend on, in the order of an answer.
const (
	ConfigMap      = "ConfigMap"
	Secret         = "Secret"
	ServiceAccount = "ServiceAccount"
	Claim          = "PersistentVolumeClaim"
)

// Place is where in an object the name of a dependency stands.
type Place struct {
	Kind string
	Path []string
}

// ConfigMapAt is a place with the name of a ConfigMap.
func ConfigMapAt(path ...string) Place { return Place{ConfigMap, path} }

// SecretAt is a place with the name of a Secret.
func SecretAt(path ...string) Place { return Place{Secret, path} }

// ClaimAt is a place with the name of a PersistentVolumeClaim.
func ClaimAt(path ...string) Place { return Place{Claim, path} }

// GatePlaces are those of a gate of our VM kinds.
var GatePlaces = []Place{
	SecretAt("notifyRef", "name"),
	SecretAt("webhook", "caSecretRef", "name"),
}

// References are names by kind, of one namespace.
type References struct {
	namespace string
	names     map[string][]string
}

// On begins a collection.
func On(namespace string) References { return References{namespace, map[string][]string{}} }

// Add takes a name, once; an empty one is none.
func (r References) Add(kind, name string) {
	if name != "" && !slices.Contains(r.names[kind], name) {
		r.names[kind] = append(r.names[kind], name)
	}
}

// In takes the names at the places of one object.
func (r References) In(object map[string]any, places ...Place) error {
	for _, place := range places {
		// Most objects bear one of many places: look no further than its key.
		if _, ok := object[place.Path[0]]; !ok {
			continue
		}
		name, err := field.String(object, place.Path...)
		if err != nil {
			return err
		}
		r.Add(place.Kind, name)
	}
	return nil
}

// Each takes the names at the places of every object of a list.
func (r References) Each(holder map[string]any, path []string, places ...Place) error {
	return Each(holder, path, func(item map[string]any) error { return r.In(item, places...) })
}

// List is the collection.
func (r References) List() []configv1alpha1.DependentObjectReference {
	var out []configv1alpha1.DependentObjectReference
	for _, kind := range []string{ConfigMap, Secret, ServiceAccount, Claim} {
		slices.Sort(r.names[kind])
		for _, name := range r.names[kind] {
			out = append(out, configv1alpha1.DependentObjectReference{APIVersion: "v1", Kind: kind, Namespace: r.namespace, Name: name})
		}
	}
	return out
}

// Each visits the objects of a list; errors name the element.
func Each(holder map[string]any, path []string, visit func(map[string]any) error) error {
	list, err := field.Slice(holder, path...)
	if err != nil {
		return err
	}
	for i, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			return field.Errorf(field.Index(path, i), "want an object, have %v", item)
		}
		if err := visit(object); err != nil {
			return field.Under(err, field.Index(path, i)...)
		}
	}
	return nil
}
