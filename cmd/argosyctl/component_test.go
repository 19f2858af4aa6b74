package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const (
	componentSample = "../../deploy/samples/component.yaml"
	templateSample  = "../../deploy/samples/componenttemplate.yaml"
)

func componentPreviewOf(t *testing.T, args ...string) (out, notes string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := newCommand("argosyctl", genericiooptions.IOStreams{In: strings.NewReader(""), Out: &stdout, ErrOut: &stderr})
	root.SetArgs(append([]string{"component", "preview"}, args...))
	err = root.ExecuteContext(t.Context())
	return stdout.String(), stderr.String(), err
}

func TestComponentPreview(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"five fields": {args: []string{"-f", componentSample}, want: `Component default/python-demo becomes 2 objects; no template matches it.
KIND        NAME         FROM
Service     python-demo  spec
Deployment  python-demo  spec
`},
		"with templates": {args: []string{"-f", templateSample, "-f", componentSample, "--cluster-value", "zone=a"},
			want: `Component default/python-demo becomes 3 objects.
KIND                 NAME         FROM
Service              python-demo  spec
Deployment           python-demo  Cluster/base, Language/python, spec
PodDisruptionBudget  python-demo  RunType/server
`},
		"objects": {args: []string{"-f", componentSample, "-o", "yaml"}, want: minimalObjects(t)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			have, notes, err := componentPreviewOf(t, tc.args...)
			if err != nil || notes != "" {
				t.Fatal(err, notes)
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("-want +have:\n%s", diff)
			}
		})
	}
}

// minimalObjects are those the rendering itself is held to.
func minimalObjects(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../member/component/render/testdata/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestComponentPreviewAsJSON(t *testing.T) {
	have, _, err := componentPreviewOf(t, "-f", componentSample, "-n", "shop", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Kind  string
		Items []struct {
			Kind     string
			Metadata struct{ Namespace string }
		}
	}
	if err := json.Unmarshal([]byte(have), &list); err != nil {
		t.Fatal(err)
	}
	// The sample says its namespace, which -n does not change.
	if list.Kind != "List" || len(list.Items) != 2 || list.Items[1].Kind != "Deployment" || list.Items[1].Metadata.Namespace != "default" {
		t.Errorf("have %+v", list)
	}
}

// TestComponentPreviewErrors: each names the file or the object, and the field.
func TestComponentPreviewErrors(t *testing.T) {
	const start = "apiVersion: component.luojilab.com/v1alpha1\nkind: Component\nmetadata: {name: demo}\nspec: {workloadType: Deployment, " +
		"developLanguage: python, runType: server, image: i, "
	tests := map[string]struct {
		file string
		args []string
		want string
	}{
		"no port":  {file: start + "}", want: "Component demo: spec.port: Required value"},
		"misspelt": {file: start + "port: 80, replica: 3}", want: "Component demo: spec.replica: Forbidden: there is no such field"},
		"a rule": {
			file: start + "port: 80, svc: {type: None}, ingress: {host: a.example.com}}",
			want: "Component demo: spec: Invalid value: ingress needs a Service",
		},
		"no name": {
			file: strings.Replace(start, "name: demo", "labels: {a: b}", 1) + "port: 80}", want: "a Component has no metadata.name",
		},
		"a patch": {
			file: start + "port: 80, patches: [{target: {kind: Service}, patch: {spec: {typ: a}}}]}",
			want: `Component demo: spec.patches[0].patch: unknown field "spec.typ"`,
		},
		"unknown variable": {
			file: start + "port: 80}", args: []string{"-f", templateSample},
			want: "ComponentTemplate base: spec.objects[0].object.spec.template.spec.nodeSelector.topology.kubernetes.io/zone: variable " +
				"$(cluster.zone) is not known",
		},
		"another kind": {
			file: "{apiVersion: v1, kind: Service, metadata: {name: web}}",
			want: `holds Service "web" of "v1", want a Component or ComponentTemplate`,
		},
		"nothing":        {file: "# nothing", want: "neither a Component nor a ComponentTemplate is in it"},
		"no YAML":        {file: "{", want: "reading "},
		"another output": {file: start + "port: 80}", args: []string{"-o", "wide"}, want: `--output "wide" is not known`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "component.yaml")
			if err := os.WriteFile(path, []byte(tc.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := componentPreviewOf(t, append([]string{"-f", path}, tc.args...)...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("have %v\nwant %s", err, tc.want)
			}
		})
	}
}

// TestComponentPreviewNotes: programs get the objects alone, and people what they do not show.
func TestComponentPreviewNotes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "component.yaml")
	const canary = "apiVersion: component.luojilab.com/v1alpha1\nkind: Component\nmetadata: {name: demo}\nspec: {workloadType: Deployment, " +
		"developLanguage: python, runType: server, image: i, port: 80, strategy: {type: Canary, canary: {steps: [{replicas: 1}]}}}"
	if err := os.WriteFile(path, []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	_, notes, err := componentPreviewOf(t, "-f", path, "-o", "json")
	if err != nil || notes != "note: Component default/demo: the objects are shown as they are after the last canary step\n" {
		t.Error(err, notes)
	}
}

// TestServing: a policy that duplicates gives every cluster what is asked for, which must not read like a sum gone wrong.
func TestServing(t *testing.T) {
	for want, counts := range map[string][2]int32{
		"0 of 1 copies serve": {0, 1},
		"6 of 6 copies serve": {6, 6},
		"3 copies serve (1 asked for, in each cluster if the policy duplicates)": {3, 1},
	} {
		if have := serving(counts[0], counts[1]); have != want {
			t.Errorf("%d of %d: %q, want %q", counts[0], counts[1], have, want)
		}
	}
}
