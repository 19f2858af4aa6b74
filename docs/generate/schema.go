package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// writeSchemas puts the fields of the programs' files into the schemas of the charts' values, so that helm refuses a typo before a pod
// does. The rest of the schemas is written by hand and stays.
func writeSchemas(root string, files source) error {
	for _, chart := range []string{"chart", "member"} {
		if err := writeSchema(root, chart, files); err != nil {
			return err
		}
	}
	return nil
}

func writeSchema(root, chart string, files source) error {
	valuesSchema := "deploy/" + chart + "/values.schema.json"
	path := filepath.Join(root, valuesSchema)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		return fmt.Errorf("reading %s: %w", valuesSchema, err)
	}
	definitions, ok := schema["definitions"].(map[string]any)
	if !ok {
		return fmt.Errorf("%s has no definitions", valuesSchema)
	}
	docs := fieldDocs(files.in("internal/config"))
	for _, of := range configurations() {
		if of.chart != chart {
			continue
		}
		kind := reflect.TypeOf(of.defaults).Elem()
		definitions[of.program] = object(kind, docs, chartsOwn())
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// chartsOwn are the fields that the charts' ports, probes and mounts go by: values cannot change them alone.
func chartsOwn() []string {
	return []string{"apiVersion", "kind", "bindAddress", "certDir", "isKarmadaBindAddress", "metricsBindAddress", "healthBindAddress",
		"webhook", "controllerID"}
}

// object is the schema of a struct of package config.
func object(kind reflect.Type, docs map[string]string, without []string) map[string]any {
	properties := map[string]any{}
	collect(properties, kind, docs, without)
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

func collect(properties map[string]any, kind reflect.Type, docs map[string]string, without []string) {
	for field := range kind.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			collect(properties, field.Type, docs, without)
		case !slices.Contains(without, name):
			property := typed(field.Type, docs)
			property["description"] = strings.ReplaceAll(docs[kind.Name()+"."+field.Name], "\n", " ")
			properties[name] = property
		}
	}
}

func typed(kind reflect.Type, docs map[string]string) map[string]any {
	switch kind.Kind() {
	case reflect.Struct:
		return object(kind, docs, nil)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": typed(kind.Elem(), docs)}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int32:
		return map[string]any{"type": "integer"}
	case reflect.Float32:
		return map[string]any{"type": "number"}
	case reflect.String:
		if kind == reflect.TypeFor[string]() {
			return map[string]any{"type": "string"}
		}
	}
	// A test of the chart sets every field; one of another type shows there.
	return map[string]any{}
}
