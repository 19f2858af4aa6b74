package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/resource"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/internal/manifest"
)

// readObjects gives the objects of a file, or of a folder's files, as kubectl apply would send them: those of a List one by one, and none
// that names a field twice. - is standard input.
func readObjects(name string, in io.Reader) ([]*unstructured.Unstructured, error) {
	files, err := filesOf(name)
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for _, file := range files {
		objects, err := objectsOfFile(file, in)
		if err != nil {
			return nil, err
		}
		out = append(out, objects...)
	}
	return out, nil
}

// filesOf a folder are its own manifests, by their names' order; as with kubectl, not those of folders within. Anything else is itself.
func filesOf(name string) ([]string, error) {
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return []string{name}, nil
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, fmt.Errorf("reading the folder (-f): %w", err)
	}
	var out []string
	for _, entry := range entries {
		if !entry.IsDir() && slices.Contains(resource.FileExtensions, filepath.Ext(entry.Name())) {
			out = append(out, filepath.Join(name, entry.Name()))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("reading the folder (-f): %s holds no %s", name, strings.Join(resource.FileExtensions, ", "))
	}
	return out, nil
}

func objectsOfFile(file string, in io.Reader) ([]*unstructured.Unstructured, error) {
	var stream []byte
	var err error
	if file == "-" {
		stream, err = io.ReadAll(in)
	} else {
		stream, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the file (-f): %w", err)
	}
	objects, err := manifest.Parse(stream)
	if err == nil {
		err = namedTwice(stream)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	var out []*unstructured.Unstructured
	for _, object := range objects {
		if !object.IsList() {
			out = append(out, object)
			continue
		}
		err := object.EachListItem(func(item runtime.Object) error {
			out = append(out, item.(*unstructured.Unstructured))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
	}
	return out, nil
}

// namedTwice finds a field that a YAML document names twice: of the two an API server would be sent the last.
func namedTwice(stream []byte) error {
	if utilyaml.IsJSONBuffer(stream) {
		return nil
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := yaml.YAMLToJSONStrict(document); err != nil {
			return err
		}
	}
}
