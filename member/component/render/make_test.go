package render

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"
	syaml "sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

const minimal = `
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {name: python-demo, namespace: default}
spec: {workloadType: Deployment, developLanguage: python, runType: server, image: python-demo:latest, port: 8080}`

var zoneA = Variables{"zone": "a"}

func makeComponent(t testing.TB, text string) *v1alpha1.Component {
	t.Helper()
	out := &v1alpha1.Component{}
	if err := syaml.UnmarshalStrict([]byte(text), out); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// with is the minimal component with more in its spec.
func with(t testing.TB, fields string) *v1alpha1.Component {
	t.Helper()
	out := makeComponent(t, minimal)
	more(t, out, fields)
	return out
}

func more(t testing.TB, component *v1alpha1.Component, fields string) {
	t.Helper()
	if err := syaml.UnmarshalStrict([]byte(fields), &component.Spec); err != nil {
		t.Fatalf("%v\n%s", err, fields)
	}
}

func makeTemplates(t testing.TB, text []byte) []v1alpha1.ComponentTemplate {
	t.Helper()
	var out []v1alpha1.ComponentTemplate
	for documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		one := v1alpha1.ComponentTemplate{}
		if err := syaml.UnmarshalStrict(document, &one); err != nil {
			t.Fatalf("%v\n%s", err, document)
		}
		out = append(out, one)
	}
}

func sampleTemplates(t testing.TB) []v1alpha1.ComponentTemplate {
	t.Helper()
	text, err := os.ReadFile("testdata/templates.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return makeTemplates(t, text)
}

// oneTemplate is of level Cluster and speaks of one object.
func oneTemplate(t testing.TB, kind, object string) []v1alpha1.ComponentTemplate {
	t.Helper()
	return makeTemplates(t, []byte("metadata: {name: one}\nspec:\n  level: Cluster\n  objects:\n  - {kind: "+kind+", object: "+object+"}\n"))
}

// asYAML is a stream of the objects.
func asYAML(t testing.TB, objects []Object) string {
	t.Helper()
	var out bytes.Buffer
	for _, o := range objects {
		text, err := syaml.JSONToYAML(o.JSON)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return out.String()
}
