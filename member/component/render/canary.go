package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// CanarySuffix ends the name of the Deployment that holds the new copies while a canary is under way.
const CanarySuffix = "-canary"

// Canary is the Deployment as a second one beside it, with so many copies: a Service reaches both, and neither owns the other's pods.
func (o Object) Canary(replicas int32) (Object, error) {
	return o.changed(func(content map[string]any) error {
		for _, path := range [][]string{{"spec", "selector", "matchLabels"}, {"spec", "template", "metadata", "labels"}} {
			if err := unstructured.SetNestedField(content, v1alpha1.TrackCanary, append(path, v1alpha1.LabelTrack)...); err != nil {
				return err
			}
		}
		if err := unstructured.SetNestedField(content, o.Name+CanarySuffix, "metadata", "name"); err != nil {
			return err
		}
		return unstructured.SetNestedField(content, int64(replicas), "spec", "replicas")
	})
}

// WithPods is the workload with the pods of another version of it, and with so many copies; negative: an autoscaler says how many.
func (o Object) WithPods(template map[string]any, replicas int32) (Object, error) {
	return o.changed(func(content map[string]any) error {
		if replicas >= 0 {
			if err := unstructured.SetNestedField(content, int64(replicas), "spec", "replicas"); err != nil {
				return err
			}
		}
		return unstructured.SetNestedMap(content, template, "spec", "template")
	})
}

// Partitioned is the StatefulSet with so many copies kept as they are.
func (o Object) Partitioned(kept int32) (Object, error) {
	return o.changed(func(content map[string]any) error {
		if err := unstructured.SetNestedField(content, "RollingUpdate", "spec", "updateStrategy", "type"); err != nil {
			return err
		}
		return unstructured.SetNestedField(content, int64(kept), "spec", "updateStrategy", "rollingUpdate", "partition")
	})
}

// changed is a copy of the object with an edit.
func (o Object) changed(edit func(map[string]any) error) (Object, error) {
	out := o
	out.Content = runtime.DeepCopyJSON(o.Content)
	if err := edit(out.Content); err != nil {
		return Object{}, fmt.Errorf("editing %s %s: %w", o.Kind, o.Name, err)
	}
	raw, err := json.Marshal(out.Content)
	if err != nil {
		return Object{}, fmt.Errorf("writing %s %s: %w", o.Kind, o.Name, err)
	}
	sum := sha256.Sum256(raw)
	out.Name, _, _ = unstructured.NestedString(out.Content, "metadata", "name")
	out.JSON, out.Hash = raw, hex.EncodeToString(sum[:])
	return out, nil
}
