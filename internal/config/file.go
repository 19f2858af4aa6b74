package config

import (
	"errors"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// validator is a configuration that knows its own rules.
type validator interface {
	Validate() field.ErrorList
}

// load reads the file over the defaults already in into. An empty path leaves the defaults.
func load(path string, into validator) error {
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading configuration: %w", err)
		}
		if err := unmarshalStrict(text, into); err != nil {
			return fmt.Errorf("reading configuration %s: %w", path, err)
		}
	}
	if errs := into.Validate(); len(errs) > 0 {
		return fmt.Errorf("configuration %s: %w", nameOf(path), errs.ToAggregate())
	}
	return nil
}

// unmarshalStrict names a field that does not exist by its whole path.
func unmarshalStrict(text []byte, into any) error {
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	problems, err := kjson.UnmarshalStrict(asJSON, into)
	if err != nil {
		return err
	}
	return errors.Join(problems...)
}

func nameOf(path string) string {
	if path == "" {
		return "(built-in defaults)"
	}
	return path
}

// Header names the kind of a configuration file, so that the file of another binary is not taken for this one.
type Header struct {
	// APIVersion is config.argosy.dev/v1alpha1.
	APIVersion string `json:"apiVersion"`
	// Kind is the binary's own.
	Kind string `json:"kind"`
}

// APIVersion of every configuration file.
const APIVersion = "config.argosy.dev/v1alpha1"

func (h Header) validate(kind string) field.ErrorList {
	var errs field.ErrorList
	if h.APIVersion != APIVersion {
		errs = append(errs, field.NotSupported(field.NewPath("apiVersion"), h.APIVersion, []string{APIVersion}))
	}
	if h.Kind != kind {
		errs = append(errs, field.NotSupported(field.NewPath("kind"), h.Kind, []string{kind}))
	}
	return errs
}
