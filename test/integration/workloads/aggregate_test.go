package workloads

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// TestAggregatedStatusIsAdmitted writes what AggregateStatus answers into a real apiserver: a status the CRD does not
// admit would be refused whole, and the template's status would stand still.
func TestAggregatedStatusIsAdmitted(t *testing.T) {
	catalog := interpreter.NewCatalog(interpreter.Families())
	for _, folder := range []string{"statefulset", "daemonset", "vmreplicaset", "vmdeployment", "servicecomponent"} {
		t.Run(folder, func(t *testing.T) {
			ctx := context.Background()
			obj := testdata(t, folder, "template.yaml")
			obj.SetName("")
			obj.SetGenerateName("test-")
			obj.SetNamespace("default")
			if err := apiserver.Create(ctx, obj); err != nil {
				t.Fatal(err)
			}
			fam := catalog[obj.GroupVersionKind().GroupKind()]
			status, err := fam.InterpretStatus(testdata(t, folder, "member.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			// One member has reported everything, one nothing yet, so that merged conditions are Unknown too.
			edits, err := fam.AggregateStatus(obj, []family.Member{
				{Cluster: "member1", Status: status}, {Cluster: "member2", Status: map[string]any{}}, {Cluster: "member3"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := edits.Apply(obj.Object); err != nil {
				t.Fatal(err)
			}
			want := obj.DeepCopy().Object["status"]
			if err := apiserver.Status().Update(ctx, obj); err != nil {
				t.Fatal(err)
			}
			have := &unstructured.Unstructured{}
			have.SetGroupVersionKind(obj.GroupVersionKind())
			if err := apiserver.Get(ctx, client.ObjectKeyFromObject(obj), have); err != nil {
				t.Fatal(err)
			}
			// A field the schema does not know would have been pruned.
			if diff := cmp.Diff(want, have.Object["status"]); diff != "" {
				t.Errorf("the apiserver keeps another status (-want +have)\n%s", diff)
			}
		})
	}
}

func testdata(t *testing.T, folder, name string) *unstructured.Unstructured {
	t.Helper()
	return fixture.Load(t, filepath.Join(repository, "interpreter", folder, "testdata", name)).Unstructured()
}
