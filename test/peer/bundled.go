package peer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// Case is one document of Karmada's testdata/<operation>-test.yaml, a test of its bundled Lua.
type Case struct {
	Name          string                              `json:"name"`
	DesiredObj    map[string]any                      `json:"desiredObj"`
	ObservedObj   map[string]any                      `json:"observedObj"`
	StatusItems   []workv1alpha2.AggregatedStatusItem `json:"statusItems"`
	InputReplicas int32                               `json:"inputReplicas"`
	Operation     string                              `json:"operation"`
}

// Bundled reads Karmada's own cases about the kind from the folder of Karmada's module.
func (k Kind) Bundled(module string) ([]Case, error) {
	folder := filepath.Join(module, "pkg/resourceinterpreter/default/thirdparty/resourcecustomizations/apps.kruise.io", k.Version, k.Name)
	files, err := filepath.Glob(filepath.Join(folder, "testdata", "*-test.yaml"))
	if err != nil {
		return nil, err
	}
	var out []Case
	for _, file := range files {
		cases, err := casesOf(file)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		out = append(out, cases...)
	}
	return out, nil
}

func casesOf(file string) ([]Case, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out []Case
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := sigsyaml.YAMLToJSON(document)
		if err != nil {
			return nil, err
		}
		// Whole numbers stay whole, as an API server sends them.
		var c Case
		if err := kjson.Unmarshal(text, &c); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
}

// Question is the case as Karmada would ask it.
func (c Case) Question() (interpreter.Question, error) {
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
				return q, fmt.Errorf("%s: the status of %s: %w", c.Name, item.ClusterName, err)
			}
		}
		q.Members = append(q.Members, member)
	}
	return q, nil
}
