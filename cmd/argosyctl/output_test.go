package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestOutputs: every command that prints for programs takes what kubectl get takes.
func TestOutputs(t *testing.T) {
	type named struct {
		Kind     string            `json:"kind"`
		Metadata map[string]string `json:"metadata"`
		Replicas int               `json:"replicas"`
	}
	web := named{Kind: "Release", Metadata: map[string]string{"name": "web"}, Replicas: 3}
	db := named{Kind: "Release", Metadata: map[string]string{"name": "db"}, Replicas: 1}
	report := map[string]any{"checks": []any{map[string]any{"name": "certificate", "well": true}, map[string]any{"name": "leader"}}}
	for name, tc := range map[string]struct {
		format       string
		object       any
		want, wantIn string
	}{
		"json":                {format: "json", object: map[string]int{"a": 1}, want: "{\n  \"a\": 1\n}\n"},
		"yaml":                {format: "yaml", object: map[string]int{"a": 1}, want: "a: 1\n"},
		"a path":              {format: "jsonpath={.checks[*].name}", object: report, want: "certificate leader"},
		"a path in a list":    {format: "jsonpath={.items[*].replicas}", object: []named{web, db}, want: "3 1"},
		"a template":          {format: "go-template={{range .checks}}{{.name}};{{end}}", object: report, want: "certificate;leader;"},
		"a name":              {format: "name", object: web, want: "release/web\n"},
		"names":               {format: "name", object: []named{web, db}, want: "release/web\nrelease/db\n"},
		"columns":             {format: "custom-columns=NAME:.metadata.name,N:.replicas", object: []named{web, db}, wantIn: "web 3 db 1"},
		"a name of a report":  {format: "name", object: report, wantIn: "no object with a name"},
		"a list of words":     {format: "name", object: []string{"a"}, wantIn: "holds no objects"},
		"no format":           {format: "xml", object: web, wantIn: `--output "xml" is not known: use text, json`},
		"no path":             {format: "jsonpath", object: web, wantIn: "template format specified but no template given"},
		"a path that is none": {format: "jsonpath={.a", object: web, wantIn: "unclosed action"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			_, err := structured(&out, tc.format, tc.object)
			have := out.String()
			if err != nil {
				have = err.Error()
			}
			if tc.want != "" && (err != nil || have != tc.want) {
				t.Errorf("printed %q, %v; want %q", have, err, tc.want)
			}
			if words := strings.Join(strings.Fields(have), " "); tc.wantIn != "" && !strings.Contains(words, tc.wantIn) {
				t.Errorf("printed %q, want %q in it", words, tc.wantIn)
			}
			if strings.Count(have, "NAME") > 1 {
				t.Errorf("headed more than once:\n%s", have)
			}
		})
	}
	if done, err := structured(io.Discard, "jsonpath={.a}", nil); err != nil || !done {
		t.Errorf("a format that is checked before anything is read: %v", err)
	}
}
