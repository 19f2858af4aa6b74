package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// TestWordsThatAShellIsOffered asks as a shell does.
func TestWordsThatAShellIsOffered(t *testing.T) {
	startFederation(t)
	for typed, want := range map[string]string{
		"policy --clusters|":                                      "production-europe-west-frankfurt-a1",
		"publish --clusters|edge,":                                "edge,production-europe-west-frankfurt-a1",
		"publish --clusters|production-europe-west-frankfurt-a1,": "",
		"fit --cluster|":                                          "production-europe-west-frankfurt-a1",
		"status --context|":                                       "k",
		"status --user|":                                          "u",
		"status --cluster|":                                       "k",
		"migration approve deployment/" + longApp + " --plan|":    "0a1b2c3d4e5f",
		"migration status|":                                       "deployment/" + longApp,
		"migration generate --kubeconfig /nowhere --from|":        "",
		"migration generate --from|":                              "production-europe-west-frankfurt-a1",
	} {
		t.Run(typed, func(t *testing.T) {
			var out bytes.Buffer
			root := newCommand("argosyctl", genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: io.Discard})
			words, begun, _ := strings.Cut(typed, "|")
			root.SetArgs(append([]string{"__complete"}, append(strings.Fields(words), begun)...))
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(out.String(), "\n")
			first, _, _ = strings.Cut(first, "\t")
			if strings.HasPrefix(first, ":") {
				first = ""
			}
			if first != want {
				t.Errorf("offers %q, want %q", first, want)
			}
		})
	}
}

// TestOneShapeOfFiles: every command that reads objects takes a file, a folder and standard input.
func TestOneShapeOfFiles(t *testing.T) {
	startFederation(t)
	const objects = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 1, selector: {matchLabels: {app: web}},
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}}}
`
	folder := t.TempDir()
	for name, text := range map[string]string{"web.yaml": objects, "README.md": "no manifest"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	empty := t.TempDir()
	for _, typed := range []string{"policy --offline --clusters member1 -f", "publish --dry-run --clusters nowhere -f"} {
		said := map[string]string{}
		for _, f := range []string{folder, filepath.Join(folder, "web.yaml"), "-"} {
			var out bytes.Buffer
			root := newCommand("argosyctl", genericiooptions.IOStreams{In: strings.NewReader(objects), Out: &out, ErrOut: io.Discard})
			root.SetArgs(append(strings.Fields(typed), f))
			err := root.ExecuteContext(t.Context())
			if err != nil && !strings.Contains(err.Error(), "nowhere") {
				t.Errorf("%s %s: %v", typed, f, err)
			}
			said[out.String()] = f
		}
		if len(said) != 1 {
			t.Errorf("%s says one thing of a folder, another of its file: %q", typed, said)
		}
	}
	for name, tc := range map[string]struct{ file, want string }{
		"a file":               {filepath.Join(folder, "web.yaml"), ""},
		"a folder":             {folder, ""},
		"standard input":       {"-", ""},
		"no file":              {filepath.Join(folder, "web.yml"), "no such file"},
		"a folder of no files": {empty, "holds no .json, .yaml, .yml"},
		"a page":               {filepath.Join(folder, "README.md"), "reading " + folder},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readObjects(tc.file, strings.NewReader(objects))
			switch {
			case tc.want == "" && (err != nil || len(got) != 1 || got[0].GetName() != "web"):
				t.Errorf("%v, %v", got, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
