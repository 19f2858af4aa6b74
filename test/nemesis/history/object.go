package history

import (
	"hash/fnv"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
)

// Object is an object as its API shows it, trimmed.
type Object map[string]any

// Int is a number at a path, and whether there is one.
func (o Object) Int(path ...string) (int64, bool) {
	value, _, _ := unstructured.NestedFieldNoCopy(o, path...)
	switch n := value.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), true
	default:
		return 0, false
	}
}

// Text is a string at a path; empty where there is none.
func (o Object) Text(path ...string) string {
	value, _, _ := unstructured.NestedFieldNoCopy(o, path...)
	text, _ := value.(string)
	return text
}

// Field is whatever is at a path.
func (o Object) Field(path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(o, path...)
	return value
}

// List is the objects of a list at a path.
func (o Object) List(path ...string) []Object {
	value, _, _ := unstructured.NestedFieldNoCopy(o, path...)
	items, _ := value.([]any)
	out := make([]Object, 0, len(items))
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// Meta is a label's or an annotation's value.
func (o Object) Meta(field, key string) string { return o.Text("metadata", field, key) }

// UID tells an object from another of the same name.
func (o Object) UID() string { return o.Text("metadata", "uid") }

// Condition of a status; nil where there is none.
func (o Object) Condition(kind string) Object {
	for _, c := range o.List("status", "conditions") {
		if c.Text("type") == kind {
			return c
		}
	}
	return nil
}

// trim leaves what checkers ask for. A run of some minutes writes tens of thousands of objects, most of them pods.
func trim(resource string, o Object) Object {
	if meta, ok := o["metadata"].(map[string]any); ok {
		delete(meta, "managedFields")
		if annotations, ok := meta["annotations"].(map[string]any); ok {
			delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		}
	}
	switch resource {
	case Pods:
		return trimPod(o)
	case Events:
		return Object{
			"metadata": o["metadata"], "involvedObject": o["involvedObject"], "reason": o["reason"], "type": o["type"], "message": o["message"],
		}
	case Works:
		trimWork(o)
	default:
		trimTemplate(o)
	}
	return o
}

func trimPod(o Object) Object {
	meta := map[string]any{}
	for _, field := range []string{"namespace", "name", "uid", "labels", "ownerReferences", "deletionTimestamp", "creationTimestamp"} {
		if value := o.Field("metadata", field); value != nil {
			meta[field] = value
		}
	}
	status := map[string]any{"phase": o.Text("status", "phase")}
	if ready := o.Condition("Ready"); ready != nil {
		status["conditions"] = []any{map[string]any{"type": "Ready", "status": ready.Text("status")}}
	}
	return Object{"metadata": meta, "spec": map[string]any{"nodeName": o.Text("spec", "nodeName"), "images": images(o)}, "status": status}
}

// trimWork keeps of each manifest what its controller in a member would obey.
func trimWork(o Object) {
	for _, manifest := range o.List("spec", "workload", "manifests") {
		if meta, ok := manifest["metadata"].(map[string]any); ok {
			delete(meta, "managedFields")
		}
		trimTemplate(manifest)
	}
}

// trimTemplate puts a number in the place of a pod template: it is compared, never read.
func trimTemplate(o Object) {
	spec, ok := o["spec"].(map[string]any)
	if !ok {
		return
	}
	template, ok := spec["template"].(map[string]any)
	if !ok {
		return
	}
	text, err := json.Marshal(template) // keys are sorted
	if err != nil {
		return
	}
	hash := fnv.New64a()
	_, _ = hash.Write(text) // never fails
	spec["template"] = map[string]any{"hash": strconv.FormatUint(hash.Sum64(), 36), "images": images(template)}
}

// images of a pod or a pod template, in one word.
func images(template Object) string {
	var out []string
	for _, container := range template.List("spec", "containers") {
		out = append(out, container.Text("image"))
	}
	return strings.Join(out, " ")
}
