package servicecomponent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/util/json"
)

// FuzzPatches merges any patch a person may write into the rendered pod template: no panic, and the object unchanged.
func FuzzPatches(f *testing.F) {
	for _, seed := range []string{
		`{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"A"}]},{"name":"proxy"}]}}}}`,
		`{"spec":{"template":{"spec":{"$patch":"replace","containers":[{"name":"main","$patch":"delete"}]}}}}`,
		`{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"main"}],"$retainKeys":["containers"],"volumes":null}}}}`,
		`{"spec":{"template":{"spec":{"tolerations":[{"key":"a"}],"$deleteFromPrimitiveList/finalizers":["x"]}}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var patch map[string]any
		if err := kjson.Unmarshal(text, &patch); err != nil {
			return
		}
		object := &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"name": "orders", "namespace": "shop"},
			"spec": map[string]any{
				"workloadType": "Deployment", "image": "orders:1",
				"env":     []any{map[string]any{"name": "A", "value": "1"}},
				"patches": []any{map[string]any{"target": map[string]any{"kind": "Deployment"}, "patch": patch}},
			},
		}}
		before := runtime.DeepCopyJSON(object.Object)
		_, replicaErr := interpretReplica(object)
		_, dependencyErr := interpretDependency(object)
		for _, err := range []error{replicaErr, dependencyErr} {
			if err != nil && err.Error() == "" {
				t.Error("an error that says nothing")
			}
		}
		if diff := cmp.Diff(before, object.Object); diff != "" {
			t.Errorf("the rules changed their input:\n%s", diff)
		}
	})
}
