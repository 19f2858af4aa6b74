// Package schema says of an object of Argosy's kinds what an API server would, without one: its defaults, and what is
// wrong with it. It reads the CRDs that are built in, decides by Kubernetes' own code, and writes nothing.
package schema

import (
	"context"
	"fmt"
	"io/fs"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/deploy"
)

// Schema is what an API server knows of one version of a kind.
type Schema struct {
	structural *structuralschema.Structural
	values     validation.SchemaValidator
	rules      *cel.Validator
}

// Of finds the schema of a kind among the CRDs that are built in.
func Of(kind runtimeschema.GroupVersionKind) (*Schema, error) {
	files, err := fs.Glob(deploy.Files, "crds/"+kind.Group+"_*.yaml")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := deploy.Files.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(text, &crd); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		for _, version := range crd.Spec.Versions {
			if crd.Spec.Names.Kind == kind.Kind && version.Name == kind.Version {
				return compile(version.Schema.OpenAPIV3Schema)
			}
		}
	}
	return nil, fmt.Errorf("%s is no kind of Argosy's", kind)
}

func compile(v1 *apiextensionsv1.JSONSchemaProps) (*Schema, error) {
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v1, &props, nil); err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(&props)
	if err != nil {
		return nil, err
	}
	values, _, err := validation.NewSchemaValidator(&props)
	if err != nil {
		return nil, err
	}
	return &Schema{structural: structural, values: values, rules: cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

// Admit fills in the defaults and says what is wrong with an object that is created: fields that are not known, values,
// keys that come twice, and the rules.
func (s *Schema) Admit(ctx context.Context, object *unstructured.Unstructured) field.ErrorList {
	var errs field.ErrorList
	copied := object.DeepCopy().Object
	tell := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(copied, s.structural, true, tell) {
		errs = append(errs, field.Forbidden(field.NewPath(path), "there is no such field"))
	}
	defaulting.Default(object.Object, s.structural)
	errs = append(errs, validation.ValidateCustomResource(nil, object.Object, s.values)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, object.Object)...)
	if len(errs) > 0 {
		// The rules may rest on values that are not there.
		return errs
	}
	broken, _ := s.rules.Validate(ctx, nil, s.structural, object.Object, nil, celconfig.RuntimeCELCostBudget)
	return broken
}
