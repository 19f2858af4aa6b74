package main

import (
	"encoding/json"
	"errors"
	"fmt"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/dispatch"
)

// interpreted is one object's answer, its parts named as karmadactl interpret names them.
type interpreted struct {
	APIVersion string                              `json:"apiVersion"`
	Kind       string                              `json:"kind"`
	Name       string                              `json:"name"`
	Operation  configv1alpha1.InterpreterOperation `json:"operation"`
	Results    []part                              `json:"results"`

	patch []byte
}

type part struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// interpretOne answers; a manifest is that of the cluster, where one is named.
func interpretOne(catalog interpreter.Catalog, q interpreter.Question, cluster string) (interpreted, error) {
	out := interpreted{
		APIVersion: q.Object.GetAPIVersion(), Kind: q.Object.GetKind(), Name: q.Object.GetName(), Operation: q.Operation,
	}
	family, err := catalog.Family(q)
	if err != nil {
		return out, err
	}
	answer, err := q.Answer(family)
	if err != nil {
		return out, err
	}
	if q.Operation == configv1alpha1.InterpreterOperationReviseReplica && cluster != "" {
		manifest := q.Object.DeepCopy()
		if err := answer.Edits.Apply(manifest.Object); err != nil {
			return out, err
		}
		exact, err := dispatch.Decide(catalog, dispatch.Manifest{Object: manifest, Cluster: cluster})
		if err != nil {
			return out, err
		}
		answer.Edits = append(answer.Edits, exact...)
	}
	switch q.Operation {
	case configv1alpha1.InterpreterOperationInterpretReplica:
		out.Results = []part{{"replica", answer.Replicas.Count}, {"requires", answer.Replicas.Requirements}}
	case configv1alpha1.InterpreterOperationInterpretComponent:
		out.Results = []part{{"components", answer.Components}}
	case configv1alpha1.InterpreterOperationInterpretStatus:
		out.Results = []part{{"status", answer.Status}}
	case configv1alpha1.InterpreterOperationInterpretHealth:
		out.Results = []part{{"healthy", *answer.Healthy}}
	case configv1alpha1.InterpreterOperationInterpretDependency:
		out.Results = []part{{"dependencies", answer.Dependencies}}
	default:
		return out.edited(q, answer)
	}
	return out, nil
}

// edited is an answer that changes the object: the whole object after it, and the patch.
func (i interpreted) edited(q interpreter.Question, answer interpreter.Answer) (interpreted, error) {
	name := map[configv1alpha1.InterpreterOperation]string{
		configv1alpha1.InterpreterOperationReviseReplica:   "revised",
		configv1alpha1.InterpreterOperationRetain:          "retained",
		configv1alpha1.InterpreterOperationAggregateStatus: "aggregatedStatus",
	}[q.Operation]
	var err error
	if i.patch, err = answer.Edits.Patch(q.Object.Object); err != nil {
		return i, err
	}
	after := q.Object.DeepCopy()
	if err := answer.Edits.Apply(after.Object); err != nil {
		return i, err
	}
	i.Results = []part{{name, after.Object}}
	return i, nil
}

func (o *interpretOptions) print(results []interpreted) error {
	switch o.output {
	case "json":
		encoder := json.NewEncoder(o.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(results)
	case "patch":
		for _, result := range results {
			if result.Results[0].Name != "revised" && result.Results[0].Name != "retained" && result.Results[0].Name != "aggregatedStatus" {
				return errors.New("--output patch: only ReviseReplica, Retain and AggregateStatus change the object")
			}
			if len(result.patch) == 0 {
				result.patch = []byte("[]")
			}
			fmt.Fprintln(o.Out, string(result.patch))
		}
		return nil
	}
	for _, result := range results {
		for i, part := range result.Results {
			text, err := yaml.Marshal(part.Value)
			if err != nil {
				return err
			}
			fmt.Fprintf(o.Out, "---\n# [%d/%d] %s:\n%s", i+1, len(result.Results), part.Name, text)
		}
	}
	return nil
}
