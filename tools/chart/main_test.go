package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
)

// write makes a chart of one ConfigMap; files replace or add to it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{
		"Chart.yaml":         "apiVersion: v2\nname: tiny\nversion: 0.1.0\nicon: https://example.org/icon.png\nkubeVersion: \">=1.27.0-0\"\n",
		"values.yaml":        "greeting: hello\n",
		"values.schema.json": `{"type": "object", "additionalProperties": false, "properties": {"greeting": {"type": "string"}, "global": {}}}`,
		"templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}\", namespace: \"{{ " +
			".Release.Namespace }}\"}\n" +
			"data: {text: \"{{ include \"tiny.text\" . }}\", upgrade: \"{{ .Release.IsUpgrade }}\", kubernetes: \"{{ .Capabilities.KubeVersion " +
			"}}\"}\n",
		"templates/_helpers.tpl": "{{- define \"tiny.text\" }}{{ .Values.greeting }} from a partial{{ end }}",
		"templates/NOTES.txt":    "a note\n",
	}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTemplate(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		args  []string
		// want is part of the output, or of the error.
		want    []string
		wantErr string
	}{
		"a release": {
			want: []string{
				"# Source: tiny/templates/config.yaml", "name: \"mine\", namespace: \"there\"", "hello from a partial", "upgrade: \"false\"",
			},
		},
		"an upgrade":         {args: []string{"-upgrade"}, want: []string{"upgrade: \"true\""}},
		"another Kubernetes": {args: []string{"-kube-version", "v1.30.1"}, want: []string{"kubernetes: \"v1.30.1\""}},
		"too old a cluster":  {args: []string{"-kube-version", "v1.20.0"}, wantErr: "the chart needs Kubernetes >=1.27.0-0, not v1.20.0"},
		"values of its own": {
			files: map[string]string{"mine.yaml": "greeting: good day\n"}, args: []string{"-values", "mine.yaml"},
			want: []string{"good day from a partial"},
		},
		"a typo in values": {
			files: map[string]string{"mine.yaml": "greting: hello\n"}, args: []string{"-values", "mine.yaml"}, wantErr: "greting",
		},
		"a value not given":   {files: map[string]string{"templates/more.yaml": "a: {{ .Values.missing.deep }}\n"}, wantErr: "missing"},
		"a file of no object": {files: map[string]string{"templates/empty.yaml": "{{ if false }}a: b{{ end }}\n"}, want: []string{"ConfigMap"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, tc.files)
			args := []string{"template", "-chart", dir, "-name", "mine", "-namespace", "there"}
			for _, arg := range tc.args {
				if arg == "mine.yaml" {
					arg = filepath.Join(dir, arg)
				}
				args = append(args, arg)
			}
			var out bytes.Buffer
			err := run(args, &out)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("error %v, want one that says %q", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("want %q in\n%s", want, out.String())
				}
			}
			for _, source := range []string{"NOTES.txt", "_helpers.tpl", "empty.yaml"} {
				if strings.Contains(out.String(), source) {
					t.Errorf("%s is among the objects:\n%s", source, out.String())
				}
			}
		})
	}
}

func TestLintFailsOnWarnings(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"lint", "-chart", write(t, nil)}, &out); err != nil {
		t.Errorf("a chart without faults: %v\n%s", err, out.String())
	}
	out.Reset()
	bare := write(t, map[string]string{"templates/config.yaml": "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: old}\n"})
	if err := run([]string{"lint", "-chart", bare}, &out); err == nil || !strings.Contains(out.String(), "extensions/v1beta1") {
		t.Errorf("a kind that no cluster has: %v\n%s", err, out.String())
	}
}

func TestPackage(t *testing.T) {
	dir, out := write(t, nil), t.TempDir()
	if err := run([]string{"package", "-chart", dir, "-out", out}, io.Discard); err != nil {
		t.Fatal(err)
	}
	packed, err := loader.LoadFile(filepath.Join(out, "tiny-0.1.0.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	if packed.Name() != "tiny" || len(packed.Templates) != 3 {
		t.Errorf("packed %s with %d templates", packed.Name(), len(packed.Templates))
	}
	if err := run([]string{"package", "-chart", dir, "-out", out, "-version", "v1.2.3"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	if packed, err = loader.LoadFile(filepath.Join(out, "tiny-1.2.3.tgz")); err != nil || packed.AppVersion() != "v1.2.3" {
		t.Errorf("of a release: %v, %s", err, packed.AppVersion())
	}
	if err := run([]string{"package", "-chart", dir, "-out", out, "-version", "main"}, io.Discard); err == nil {
		t.Error("packed a chart whose version is none")
	}
	if err := run([]string{"package", "-chart", dir}, io.Discard); err == nil || !strings.Contains(err.Error(), "-out") {
		t.Errorf("without a place: %v", err)
	}
}

// TestPackagedTwice: the same chart and time give the same bytes, whenever it is packed, and they are Helm's but for the time.
func TestPackagedTwice(t *testing.T) {
	dir, created := filepath.Join("..", "..", "deploy", "chart"), time.Unix(1700000000, 0).UTC()
	pack := func(seconds int64) []byte {
		t.Helper()
		out := t.TempDir()
		args := []string{"package", "-chart", dir, "-out", out, "-version", "v1.2.3", "-created", strconv.FormatInt(seconds, 10)}
		if err := run(args, io.Discard); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(out, "argosy-1.2.3.tgz"))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	once := pack(created.Unix())
	if !bytes.Equal(once, pack(created.Unix())) {
		t.Error("packed twice, and not the same bytes")
	}
	if bytes.Equal(once, pack(created.Unix()+1)) {
		t.Error("the time that was told is not in it")
	}
	loaded, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	loaded.Metadata.AppVersion, loaded.Metadata.Version = "v1.2.3", "1.2.3"
	archive, err := chartutil.Save(loaded, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	helms, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	want, have := unpack(t, helms), unpack(t, once)
	if len(have.files) < 10 || !reflect.DeepEqual(have.files, want.files) || have.Comment != want.Comment ||
		!bytes.Equal(have.Extra, want.Extra) {
		t.Errorf("it is not what Helm packs: %d files, Helm's %d", len(have.files), len(want.files))
	}
	for _, at := range have.times {
		if !at.Equal(created) {
			t.Errorf("a file of %v, want %v", at, created)
		}
	}
}

// contents of an archive.
type contents struct {
	gzip.Header
	files []string
	times []time.Time
}

func unpack(t *testing.T, raw []byte) contents {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := contents{Header: unzipped.Header}
	for from := tar.NewReader(unzipped); ; {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			return c
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(from)
		if err != nil {
			t.Fatal(err)
		}
		c.files = append(c.files, fmt.Sprintf("%s %o\n%s", header.Name, header.Mode, content))
		c.times = append(c.times, header.ModTime)
	}
}

func TestCommandsThatDoNotExist(t *testing.T) {
	for _, args := range [][]string{nil, {"install"}} {
		if err := run(args, io.Discard); err == nil || !strings.Contains(err.Error(), "lint, template, package or readme") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// TestReadmesAreCurrent: what people read beside a chart is what its values say of themselves.
func TestReadmesAreCurrent(t *testing.T) {
	for _, name := range []string{"chart", "member"} {
		folder := filepath.Join("..", "..", "deploy", name)
		want, err := options{chart: folder}.describe()
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(filepath.Join(folder, "README.md"))
		if err != nil || string(have) != string(want) {
			t.Errorf("deploy/%s/README.md is old: run make generate (%v)", name, err)
		}
	}
}

// TestReadme: a value's comment, a group's, and what stands on one line.
func TestReadme(t *testing.T) {
	dir := write(t, map[string]string{"values.yaml": `# The whole file.

# How many.
replicas: 2
# All of the image.
image:
  tag: "" # empty is the chart's
  more: {a: 1, b: [x]}
list: []
`})
	page, err := options{chart: dir}.describe()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| `replicas` | `2` | How many. |\n", "| `image` | | All of the image. |\n", "| `image.tag` | `\"\"` | empty is the chart's |\n",
		"| `image.more` | `{a: 1, b: [x]}` |  |\n", "| `list` | `[]` |  |\n",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}

// TestEveryKubernetes: no chart needs what a Kubernetes from 1.31 to 1.35 has deprecated, or not yet.
func TestEveryKubernetes(t *testing.T) {
	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte("image: {repository: registry.example/argosy}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"chart", "member"} {
		for _, version := range []string{"v1.31.0", "v1.32.0", "v1.33.0", "v1.34.0", "v1.35.0"} {
			for _, command := range []string{"lint", "template"} {
				var out bytes.Buffer
				args := []string{command, "-chart", filepath.Join("..", "..", "deploy", name), "-values", values, "-kube-version", version}
				if err := run(args, &out); err != nil || command == "template" && strings.Count(out.String(), "\nkind: ") < 5 {
					t.Errorf("%s of deploy/%s for %s: %v\n%s", command, name, version, err, &out)
				}
			}
		}
	}
}
