package workloads

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/test/lab"
)

// repository is the root of the clone.
const repository = "../../.."

// apiserver is shared: no test depends on what another left, since each creates objects of generated names.
var apiserver client.Client

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	server, err := lab.NewAPIServer(context.Background(), lab.APIServerOptions{CRDs: []lab.CRDs{lab.ArgosyCRDs(), lab.KruiseCRDs()}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting an API server:", err)
		return 1
	}
	defer server.Close()
	apiserver, err = client.New(lab.Patient(server.Config), client.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a client:", err)
		return 1
	}
	return lab.Judge(m)
}

// object decodes YAML into an object of a generated name, in the default namespace if its kind has namespaces.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	document, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = json.Unmarshal(document, &obj.Object)
	}
	if err != nil {
		t.Fatalf("decoding: %v\n%s", err, text)
	}
	obj.SetName("")
	obj.SetGenerateName("test-")
	if obj.GetKind() != "ComponentTemplate" {
		obj.SetNamespace("default")
	}
	return obj
}

// sample is the object of deploy/samples.
func sample(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository, "deploy/samples", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return object(t, string(content))
}

// change sets a field of the object; a nil value removes it.
type change struct {
	path  []string
	value any
}

func set(value any, path ...string) change { return change{path: path, value: value} }

func (c change) apply(t *testing.T, obj *unstructured.Unstructured) {
	t.Helper()
	if c.value == nil {
		unstructured.RemoveNestedField(obj.Object, c.path...)
		return
	}
	if err := unstructured.SetNestedField(obj.Object, c.value, c.path...); err != nil {
		t.Fatalf("setting %v: %v", c.path, err)
	}
}
