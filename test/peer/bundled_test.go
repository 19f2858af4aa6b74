package peer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// differ is where our answer is another than the Lua's on Karmada's own test objects, by kind, operation and case; a case that is not named differs as its
// operation does. What is named in neither must be the same. Why: the facts in intended_test.go.
var differ = map[string][]string{
	"CloneSet/AggregateStatus": {"object/status/updatedAvailableReplicas"},
	"CloneSet/AggregateStatus/CloneSet with partially ready replicas": {"object/status/currentRevision", "object/status/labelSelector", "object/status/updateRevision",
		"object/status/updatedAvailableReplicas"},
	"CloneSet/AggregateStatus/CloneSet with mixed observed generations": {"object/status/currentRevision", "object/status/labelSelector", "object/status/updateRevision",
		"object/status/updatedAvailableReplicas"},
	"CloneSet/InterpretStatus":  {"status/collisionCount"},
	"CloneSet/InterpretReplica": {"requirements/namespace"},

	"StatefulSet/AggregateStatus":                                                                {"object/status/currentRevision", "object/status/updateRevision", "object/status/updatedAvailableReplicas"},
	"StatefulSet/AggregateStatus/StatefulSet with two status items":                              {"object/status/labelSelector", "object/status/updatedAvailableReplicas"},
	"StatefulSet/InterpretStatus/StatefulSet: interpret status test":                             {"status/collisionCount", "status/labelSelector"},
	"StatefulSet/InterpretReplica":                                                               {"requirements/namespace"},
	"StatefulSet/InterpretHealth/StatefulSet unhealthy when availableReplicas < updatedReplicas": {"healthy"},

	"DaemonSet/AggregateStatus/DaemonSet: aggregate status with no members":   {"object/status/daemonSetHash"},
	"DaemonSet/InterpretStatus/DaemonSet: interpret status with empty status": {"status/generation", "status/resourceTemplateGeneration"},
	// What Karmada itself writes is no number: a question that cannot be answered, not an answer without it.
	"DaemonSet/InterpretStatus/DaemonSet: interpret status with invalid resourceTemplateGeneration": {"error"},
}

// bundledCases is how many of Karmada's cases are about our kinds.
const bundledCases = 49

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
			t.Run(k.Name+"/"+c.Operation+"/"+c.Name, func(t *testing.T) {
				ran++
				q := c.question(t)
				var paths []string
				for _, d := range Differences(karmada.Ask(q), Ours(q)) {
					t.Log(d)
					paths = append(paths, d.Path)
				}
				want, named := differ[k.Name+"/"+c.Operation+"/"+c.Name]
				if !named {
					want = differ[k.Name+"/"+c.Operation]
				}
				if diff := cmp.Diff(want, paths); diff != "" {
					t.Errorf("differing at other places than intended (-want +have)\n%s", diff)
				}
			})
		}
	}
	if ran != bundledCases {
		t.Errorf("ran %d of Karmada's cases, want %d", ran, bundledCases)
	}
}

// bundledCase is a document of Karmada's testdata/<operation>-test.yaml.
type bundledCase struct {
	Name          string                              `json:"name"`
	DesiredObj    map[string]any                      `json:"desiredObj"`
	ObservedObj   map[string]any                      `json:"observedObj"`
	StatusItems   []workv1alpha2.AggregatedStatusItem `json:"statusItems"`
	InputReplicas int32                               `json:"inputReplicas"`
	Operation     string                              `json:"operation"`
}

func bundled(t *testing.T, folder string) []bundledCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "testdata", "*-test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var out []bundledCase
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			text, err := sigsyaml.YAMLToJSON(document)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			var c bundledCase
			if err := kjson.Unmarshal(text, &c); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			out = append(out, c)
		}
	}
	return out
}

func (c bundledCase) question(t *testing.T) interpreter.Question {
	t.Helper()
	object := c.DesiredObj
	if object == nil {
		object = c.ObservedObj
	}
	q := interpreter.Question{
		Operation: configv1alpha1.InterpreterOperation(c.Operation),
		Object:    &unstructured.Unstructured{Object: object},
		Target:    family.Target{Replicas: c.InputReplicas},
	}
	for _, item := range c.StatusItems {
		member := family.Member{Cluster: item.ClusterName, Applied: item.Applied, Health: item.Health}
		if item.Status != nil {
			if err := kjson.Unmarshal(item.Status.Raw, &member.Status); err != nil {
				t.Fatalf("%s: the status of %s: %v", c.Name, item.ClusterName, err)
			}
		}
		q.Members = append(q.Members, member)
	}
	return q
}
