package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// TestEveryFieldIsDescribed: kubectl explain and the API page say nothing of a field without a comment of its own.
func TestEveryFieldIsDescribed(t *testing.T) {
	files, err := filepath.Glob(clone + "/deploy/crds/*.yaml")
	if err != nil || len(files) < 9 {
		t.Fatalf("found %v: %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(text, &crd); err != nil {
			t.Fatal(err)
		}
		for _, version := range crd.Spec.Versions {
			for _, top := range []string{"spec", "status"} {
				schema := version.Schema.OpenAPIV3Schema.Properties[top]
				for _, path := range undescribed(schema, top) {
					t.Errorf("%s: %s has no description", crd.Spec.Names.Kind, path)
				}
			}
		}
	}
}

func undescribed(schema apiextensionsv1.JSONSchemaProps, path string) []string {
	var out []string
	for name, property := range schema.Properties {
		at := path + "." + name
		if property.Description == "" {
			out = append(out, at)
		}
		out = append(out, undescribed(property, at)...)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		out = append(out, undescribed(*schema.Items.Schema, path+"[]")...)
	}
	return out
}

// TestPagesShowNoMarkers: what is written for a generator is no text for a reader.
func TestPagesShowNoMarkers(t *testing.T) {
	for page, text := range pagesOf(t) {
		if n := strings.Count(text, "\n+kubebuilder:"); n > 0 {
			t.Errorf("%s shows %d markers of the code", page, n)
		}
	}
}
