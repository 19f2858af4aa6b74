package render

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	patchjson "k8s.io/apimachinery/third_party/forked/golang/json"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// variables by their full name, such as component.port. Their values are never looked at for further variables.
type variables map[string]string

func variablesOf(component *v1alpha1.Component, cluster Variables) variables {
	out := variables{
		"component.name":      component.Name,
		"component.namespace": component.Namespace,
		"component.image":     component.Spec.Image,
		"component.port":      strconv.Itoa(int(component.Spec.Port)),
		"component.language":  component.Spec.DevelopLanguage,
		"component.runType":   component.Spec.RunType,
		"component.replicas":  strconv.Itoa(int(replicasOf(component))),
	}
	for key, value := range cluster {
		out["cluster."+key] = value
	}
	return out
}

// variable is a use of one. Other $(NAME) are the container's own, which the kubelet fills in; $$(component.name) is the
// text $(component.name).
var variable = regexp.MustCompile(`\$?\$\(((?:component|cluster)\.[^()]*)\)`)

// expand fills in a text.
func (v variables) expand(text string) (string, error) {
	if !strings.Contains(text, "$(") {
		return text, nil
	}
	var unknown error
	out := variable.ReplaceAllStringFunc(text, func(use string) string {
		if strings.HasPrefix(use, "$$") {
			return use[1:]
		}
		value, known := v[use[2:len(use)-1]]
		if !known && unknown == nil {
			unknown = fmt.Errorf("variable %s is not known: there are %s", use, strings.Join(slices.Sorted(maps.Keys(v)), ", "))
		}
		return value
	})
	return out, unknown
}

var intOrString = reflect.TypeFor[intstr.IntOrString]()

// fill fills in the strings below value, in place. A string that is nothing but a number's variable becomes the number
// where the field takes one. It returns where an unknown variable stands.
func (v variables) fill(value any, typ reflect.Type, path *field.Path) (*field.Path, error) {
	switch value := value.(type) {
	case map[string]any:
		// In order, so that of two faults it is always the same that is named.
		for _, key := range slices.Sorted(maps.Keys(value)) {
			filled, at, err := v.filled(value[key], fieldType(typ, key), path.Child(key))
			if err != nil {
				return at, err
			}
			value[key] = filled
		}
	case []any:
		for i := range value {
			filled, at, err := v.filled(value[i], elementType(typ), path.Index(i))
			if err != nil {
				return at, err
			}
			value[i] = filled
		}
	}
	return nil, nil
}

func (v variables) filled(value any, typ reflect.Type, path *field.Path) (any, *field.Path, error) {
	text, isText := value.(string)
	if !isText {
		at, err := v.fill(value, typ, path)
		return value, at, err
	}
	out, err := v.expand(text)
	if err != nil || !takesNumber(typ) || text != "$(component.port)" && text != "$(component.replicas)" {
		return out, path, err
	}
	number, err := strconv.ParseInt(out, 10, 64)
	return number, path, err
}

func takesNumber(typ reflect.Type) bool {
	return typ != nil && (typ == intOrString || typ.Kind() == reflect.Int32 || typ.Kind() == reflect.Int64)
}

// fieldType is the type of a field by its name in JSON; nil of what is not known, which is an error later.
func fieldType(typ reflect.Type, key string) reflect.Type {
	switch {
	case typ == nil:
		return nil
	case typ.Kind() == reflect.Map:
		return dereferenced(typ.Elem())
	case typ.Kind() != reflect.Struct:
		return nil
	}
	of, _, _, err := patchjson.LookupPatchMetadataForStruct(typ, key)
	if err != nil {
		return nil
	}
	return dereferenced(of)
}

func elementType(typ reflect.Type) reflect.Type {
	if typ == nil || typ.Kind() != reflect.Slice {
		return nil
	}
	return dereferenced(typ.Elem())
}

func dereferenced(typ reflect.Type) reflect.Type {
	if typ.Kind() == reflect.Pointer {
		return typ.Elem()
	}
	return typ
}
