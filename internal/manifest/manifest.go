// Package manifest reads objects as they are written: those of YAML and JSON streams, such as files for kubectl apply, and the images
// that one names. It decides nothing, and reads no file itself.
package manifest

import (
	"bytes"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Parse gives the objects of a stream in their order; empty documents are none.
func Parse(stream []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(stream), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			out = append(out, object)
		}
	}
}

// Images that an object asks for: a Component's, or those of the containers of its pod template, in their order.
func Images(object *unstructured.Unstructured) []string {
	if image, ok, err := unstructured.NestedString(object.Object, "spec", "image"); ok && err == nil {
		return []string{image}
	}
	containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return nil
	}
	var out []string
	for _, item := range containers {
		if container, ok := item.(map[string]any); ok {
			if image, ok := container["image"].(string); ok {
				out = append(out, image)
			}
		}
	}
	return out
}
