package peer

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// differ is where our answer is another than the Lua's on Karmada's own test objects, by kind and operation. What is not
// named here must be the same.
var differ = map[string][]string{
	"CloneSet/AggregateStatus":        {"object/status/updatedAvailableReplicas"},
	"CloneSet/InterpretStatus":        {"status/collisionCount"},
	"CloneSet/InterpretReplica":       {"requirements/namespace"},
	"StatefulSet/AggregateStatus":     {"object/status/labelSelector", "object/status/updatedAvailableReplicas"},
	"StatefulSet/InterpretStatus":     {"status/collisionCount", "status/labelSelector"},
	"StatefulSet/InterpretReplica":    {"requirements/namespace"},
	"StatefulSet/InterpretDependency": {"dependencies"},
	"StatefulSet/ReviseReplica":       {"object/spec/updateStrategy/rollingUpdate/maxUnavailable"},
}

// bundledCases is how many of Karmada's cases are about our kinds. Karmada's own test runs them and only logs.
const bundledCases = 16

// TestBundledObjects gives Karmada's own test objects to both interpreters.
func TestBundledObjects(t *testing.T) {
	karmada := NewKarmada()
	module, err := binaries.ModuleDir(context.Background(), "../..", "github.com/karmada-io/karmada")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, k := range Kinds {
		folder := filepath.Join(module, "pkg/resourceinterpreter/default/thirdparty/resourcecustomizations/apps.kruise.io", k.Version, k.Name)
		for _, c := range bundled(t, folder) {
			t.Run(k.Name+"/"+c.Operation, func(t *testing.T) {
				ran++
				q := c.question(t, folder)
				ours := Ours(q)
				if ours["error"] != nil {
					t.Fatalf("our rules: %v", ours["error"])
				}
				var paths []string
				for _, d := range Differences(karmada.Ask(q), ours) {
					t.Log(d)
					paths = append(paths, d.Path)
				}
				if diff := cmp.Diff(differ[k.Name+"/"+c.Operation], paths); diff != "" {
					t.Errorf("differing at other places than intended (-want +have)\n%s", diff)
				}
			})
		}
	}
	if ran != bundledCases {
		t.Errorf("ran %d of Karmada's cases, want %d", ran, bundledCases)
	}
}

// bundledCase is an entry of Karmada's customizations_tests.yaml.
type bundledCase struct {
	DesiredInputPath  string `json:"desiredInputPath"`
	ObservedInputPath string `json:"observedInputPath"`
	StatusInputPath   string `json:"statusInputPath"`
	DesiredReplicas   int32  `json:"desiredReplicas"`
	Operation         string `json:"operation"`
}

func bundled(t *testing.T, folder string) []bundledCase {
	t.Helper()
	var file struct {
		Tests []bundledCase `json:"tests"`
	}
	if err := yaml.Unmarshal(read(t, folder, "customizations_tests.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	return file.Tests
}

func (c bundledCase) question(t *testing.T, folder string) interpreter.Question {
	t.Helper()
	path := c.DesiredInputPath
	if path == "" {
		path = c.ObservedInputPath
	}
	q := interpreter.Question{
		Operation: configv1alpha1.InterpreterOperation(c.Operation),
		Object:    &unstructured.Unstructured{Object: decode(t, read(t, folder, path))},
		Target:    family.Target{Replicas: c.DesiredReplicas},
	}
	if c.StatusInputPath == "" {
		return q
	}
	for _, document := range documents(string(read(t, folder, c.StatusInputPath))) {
		item := decode(t, []byte(document))
		status, _ := item["status"].(map[string]any)
		cluster, _ := item["clusterName"].(string)
		q.Members = append(q.Members, family.Member{Cluster: cluster, Status: status, Applied: true})
	}
	return q
}

func read(t *testing.T, folder, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, path))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func decode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	document, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := kjson.Unmarshal(document, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// documents of one YAML file.
func documents(text string) []string { return strings.Split(text, "\n---\n") }
