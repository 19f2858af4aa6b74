package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/kubectl/pkg/cmd/get"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// outputHelp names the outputs that a person or a program may ask for.
const outputHelp = "text, json, yaml, or as kubectl get: name, jsonpath=..., go-template=..., custom-columns=..."

// structured writes an object for programs; done is false when the format is for people. With a nil object it says whether the format is
// one, and writes nothing.
func structured(out io.Writer, format string, object any) (done bool, err error) {
	var raw []byte
	out = whole(out)
	switch format {
	case "text":
		return false, nil
	case "json":
		raw, err = json.MarshalIndent(object, "", "  ")
		raw = append(raw, '\n')
	case "yaml":
		raw, err = yaml.Marshal(object)
	default:
		return true, kubectls(out, format, object)
	}
	if err == nil {
		_, err = out.Write(raw)
	}
	return true, err
}

// kubectls writes an object by one of kubectl's own printers: what their templates name is what -o json shows, and a list is under items.
func kubectls(out io.Writer, format string, object any) (err error) {
	printer, err := printerOf(format)
	if err != nil || object == nil {
		return err
	}
	items, err := itemsOf(object, strings.HasPrefix(format, "jsonpath") || strings.HasPrefix(format, "go-template"))
	if err != nil {
		return err
	}
	// Columns are as wide as the widest of all items; the printer heads them once.
	if strings.HasPrefix(format, "custom-columns") {
		table := printers.GetNewTabWriter(out)
		defer func() { err = cmp.Or(err, table.Flush()) }()
		out = table
	}
	for _, item := range items {
		fields, ok := item.(map[string]any)
		if !ok {
			return fmt.Errorf("--output %s: the list holds no objects; use json, yaml or jsonpath", format)
		}
		one := &unstructured.Unstructured{Object: fields}
		if format == "name" && (one.GetKind() == "" || one.GetName() == "") {
			return errors.New("--output name: what this command shows is no object with a name; use json, yaml, jsonpath or custom-columns")
		}
		if err := printer.PrintObj(one, out); err != nil {
			return fmt.Errorf("--output %s: %w", format, err)
		}
	}
	return nil
}

// itemsOf are the objects of a list, or the object alone; whole leaves a list in one piece.
func itemsOf(object any, whole bool) ([]any, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var decoded any
	if err := json.Unmarshal(raw, &decoded); err != nil {
		return nil, err
	}
	content, ok := decoded.(map[string]any)
	if !ok {
		content = map[string]any{"items": decoded}
	}
	if items, ok := content["items"].([]any); ok && !whole {
		return items, nil
	}
	return []any{content}, nil
}

// printerOf is kubectl's printer of a format, where it is one of those that outputHelp names.
func printerOf(format string) (printers.ResourcePrinter, error) {
	name, _, _ := strings.Cut(format, "=")
	switch name {
	case "name", "jsonpath", "jsonpath-as-json", "jsonpath-file", "go-template", "go-template-file", "custom-columns", "custom-columns-file":
	default:
		return nil, fmt.Errorf("--output %q is not known: use %s", format, outputHelp)
	}
	flags := get.NewGetPrintFlags()
	flags.OutputFormat = &format
	printer, err := flags.ToPrinter()
	if err != nil {
		return nil, fmt.Errorf("--output %s: %w", format, err)
	}
	return printer, nil
}

// manifestHelp names the outputs of commands that print objects to be applied, as YAML where nothing else is asked for.
const manifestHelp = "yaml, json, or as kubectl get: name, jsonpath=..., go-template=..., custom-columns=..."

// printManifests writes objects as kubectl apply -f - takes them: YAML documents one by one, all else as one List. Text is nothing.
func printManifests(out io.Writer, format string, objects []any) error {
	if format != "yaml" {
		_, err := structured(out, format, listOfManifests(objects))
		return err
	}
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(whole(out), "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
}

// listOfManifests is what kubectl get prints of several objects.
func listOfManifests(objects []any) any {
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": objects}
}

// manifestsOf are objects as kubectl get shows them: without managedFields.
func manifestsOf(objects []client.Object) ([]any, error) {
	items := make([]any, len(objects))
	for i, object := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object.DeepCopyObject())
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", object.GetName(), err)
		}
		unstructured.RemoveNestedField(content, "metadata", "managedFields")
		items[i] = content
	}
	return items, nil
}

// printObjects writes what was read, as kubectl get does: with the kind, which a client leaves out of what it decodes into a type.
// One that was named stands alone, all else in a List. Text is nothing, and done is false.
func printObjects(out io.Writer, format string, read client.Client, named bool, objects ...client.Object) (done bool, err error) {
	if format == "text" {
		return false, nil
	}
	for _, object := range objects {
		kind, err := read.GroupVersionKindFor(object)
		if err != nil {
			return true, err
		}
		object.GetObjectKind().SetGroupVersionKind(kind)
	}
	items, err := manifestsOf(objects)
	if err != nil {
		return true, err
	}
	if named && len(items) == 1 {
		return structured(out, format, items[0])
	}
	return structured(out, format, listOfManifests(items))
}

// isFormat of objects that are printed for programs.
func isFormat(format string) bool {
	programs, err := structured(io.Discard, format, nil)
	return programs && err == nil
}
