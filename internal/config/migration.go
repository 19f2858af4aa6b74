package config

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Migration is the section of the migration controllers.
type Migration struct {
	Controller `json:",inline"`
	// CarriedKinds are kinds beside the built-in ones whose objects may be published with a federated application, and are rolled back,
	// adopted again and let go of with it. argosyctl install --carry gives the controllers their rights; the chart does from this list.
	CarriedKinds []CarriedKind `json:"carriedKinds"`
}

// CarriedKind is a kind of objects of a namespace.
type CarriedKind struct {
	// APIVersion of the objects, such as networking.k8s.io/v1.
	APIVersion string `json:"apiVersion"`
	// Kind as objects spell it, such as NetworkPolicy.
	Kind string `json:"kind"`
	// Resource as rights spell it, such as networkpolicies.
	Resource string `json:"resource"`
}

// Kinds that are carried beside the built-in ones.
func (m Migration) Kinds() []schema.GroupVersionKind {
	var out []schema.GroupVersionKind
	for _, carried := range m.CarriedKinds {
		out = append(out, schema.FromAPIVersionAndKind(carried.APIVersion, carried.Kind))
	}
	return out
}

func (m Migration) validate(path *field.Path) field.ErrorList {
	errs := m.Controller.validate(path)
	seen := map[schema.GroupVersionKind]bool{}
	for i, carried := range m.CarriedKinds {
		at := path.Child("carriedKinds").Index(i)
		version, err := schema.ParseGroupVersion(carried.APIVersion)
		switch {
		case err != nil || carried.APIVersion == "":
			errs = append(errs, field.Invalid(at.Child("apiVersion"), carried.APIVersion, "want group/version, or v1 of the core group"))
		case version.Group == "rbac.authorization.k8s.io":
			// Who may write Roles may only write rights that he has himself: the controllers' own would have to be everybody's.
			errs = append(errs, field.Invalid(at.Child("apiVersion"), carried.APIVersion, "rights are not carried: karmada-apiserver lets nobody "+
				"write rights that he has not himself; give them to the members"))
		case strings.HasSuffix(version.Group, "karmada.io") || strings.HasSuffix(version.Group, "argosy.dev"):
			errs = append(errs, field.Invalid(at.Child("apiVersion"), carried.APIVersion, "kinds of the federation's own are not carried"))
		}
		if carried.Kind == "" {
			errs = append(errs, field.Required(at.Child("kind"), "such as NetworkPolicy"))
		}
		for _, problem := range validation.IsDNS1123Label(carried.Resource) {
			errs = append(errs, field.Invalid(at.Child("resource"), carried.Resource, problem))
		}
		if kind := version.WithKind(carried.Kind); seen[kind] {
			errs = append(errs, field.Duplicate(at, kind.String()))
		} else {
			seen[kind] = true
		}
	}
	return errs
}
