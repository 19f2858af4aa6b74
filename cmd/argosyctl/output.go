package main

import (
	"encoding/json"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"
)

// outputHelp names the outputs that a person or a program may ask for.
const outputHelp = "text, json or yaml"

// structured writes an object for programs; done is false when the format is for people.
func structured(out io.Writer, format string, object any) (done bool, err error) {
	var raw []byte
	switch format {
	case "text":
		return false, nil
	case "json":
		raw, err = json.MarshalIndent(object, "", "  ")
		raw = append(raw, '\n')
	case "yaml":
		raw, err = yaml.Marshal(object)
	default:
		return true, fmt.Errorf("--output %q is not known: use %s", format, outputHelp)
	}
	if err == nil {
		_, err = out.Write(raw)
	}
	return true, err
}
