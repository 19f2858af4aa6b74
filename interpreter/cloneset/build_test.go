package cloneset

import (
	"maps"
	"testing"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/interpreter/edit"
)

// cloneSet is the builder of test objects: a case names only what matters to it.
type cloneSet struct{ object map[string]any }

func makeCloneSet() cloneSet {
	return cloneSet{map[string]any{
		"apiVersion": "apps.kruise.io/v1alpha1",
		"kind":       "CloneSet",
		"metadata":   map[string]any{"name": "web", "namespace": "shop", "generation": int64(3)},
		"spec":       map[string]any{"replicas": int64(10)},
	}}
}

func (c cloneSet) with(value any, path ...string) cloneSet {
	object := runtime.DeepCopyJSON(c.object)
	if err := (edit.List{edit.Set(value, path...)}).Apply(object); err != nil {
		panic(err)
	}
	return cloneSet{object}
}

func (c cloneSet) without(path ...string) cloneSet {
	object := runtime.DeepCopyJSON(c.object)
	if err := (edit.List{edit.Remove(path...)}).Apply(object); err != nil {
		panic(err)
	}
	return cloneSet{object}
}

func (c cloneSet) replicas(n int64) cloneSet { return c.with(n, "spec", "replicas") }
func (c cloneSet) partition(v any) cloneSet {
	return c.with(v, "spec", "updateStrategy", "partition")
}
func (c cloneSet) annotation(k, v string) cloneSet { return c.with(v, "metadata", "annotations", k) }
func (c cloneSet) label(k, v string) cloneSet      { return c.with(v, "metadata", "labels", k) }
func (c cloneSet) in(cluster string) cloneSet {
	return c.annotation("work.karmada.io/namespace", "karmada-es-"+cluster)
}

func (c cloneSet) status(fields map[string]any) cloneSet {
	status, _ := c.object["status"].(map[string]any)
	merged := maps.Clone(status)
	if merged == nil {
		merged = map[string]any{}
	}
	maps.Copy(merged, fields)
	return c.with(merged, "status")
}

func (c cloneSet) obj() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: runtime.DeepCopyJSON(c.object)}
}

// after applies a rule's edits.
func after(t *testing.T, object *unstructured.Unstructured, edits edit.List) *unstructured.Unstructured {
	t.Helper()
	out := object.DeepCopy()
	if err := edits.Apply(out.Object); err != nil {
		t.Fatal(err)
	}
	return out
}

func target(name string, replicas int32) workv1alpha2.TargetCluster {
	return workv1alpha2.TargetCluster{Name: name, Replicas: replicas}
}
