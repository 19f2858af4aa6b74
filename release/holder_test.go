package release

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// TestRunning: while a template is held, the stable revision and those that clusters have are known; a record that is gone is an error.
func TestRunning(t *testing.T) {
	record := func(revision string) *appsv1.ControllerRevision {
		return &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-" + revision},
			Data: runtime.RawExtension{Raw: []byte(`{"object":{"apiVersion":"apps.kruise.io/v1alpha1","kind":"CloneSet","metadata":{"name":"web",` +
				`"namespace":"shop"},"spec":{"is":"` + revision + `"}}}`)}}
	}
	all := []client.Object{
		&v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Status: v1alpha1.ReleaseStatus{
			Clusters: []v1alpha1.ClusterStatus{{Name: "member1", Revision: "r3"}, {Name: "member2", Revision: "r2"},
				{Name: "member3", Revision: "r1"}, {Name: "member4"}}}},
		record("r1"), record("r2"),
	}
	for name, tc := range map[string]struct {
		marks   map[string]string
		objects []client.Object
		want    []string
		wantErr string
	}{
		"not staged":          {nil, nil, nil, ""},
		"complete: no read":   {map[string]string{"stable": "r1", "revision": "r1", "open": "*"}, nil, nil, ""},
		"held":                {map[string]string{"stable": "r1", "revision": "r3", "open": "member1"}, all, []string{"r1", "r2"}, ""},
		"open everywhere":     {map[string]string{"stable": "r1", "revision": "r3", "open": "*"}, all, []string{"r1", "r2"}, ""},
		"its Release is gone": {map[string]string{"stable": "r1", "revision": "r3", "open": ""}, all[1:], nil, "reading Release web"},
		"its Release is made anew": {map[string]string{"stable": "r1", "revision": "r3", "open": ""},
			[]client.Object{&v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}, all[1], all[2]}, nil,
			"has not looked yet"},
		"a record of it is gone": {map[string]string{"stable": "r1", "revision": "r3", "open": ""}, all[:2], nil,
			"reading the record of revision r2"},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
				if err := add(scheme); err != nil {
					t.Fatal(err)
				}
			}
			template := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet"}}
			template.SetNamespace("shop")
			template.SetName("web")
			template.SetLabels(map[string]string{v1alpha1.LabelStaged: "web"})
			annotations := map[string]string{}
			for mark, value := range tc.marks {
				annotations["release.argosy.dev/"+mark] = value
			}
			template.SetAnnotations(annotations)
			h := &Holder{Reader: fake.NewClientBuilder().WithScheme(scheme).WithObjects(tc.objects...).Build()}
			found, err := h.Running(t.Context(), template)
			if (err == nil) != (tc.wantErr == "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Fatalf("error %v, want %q", err, tc.wantErr)
			}
			var got []string
			for _, object := range found {
				is, _, _ := unstructured.NestedString(object.Object, "spec", "is")
				got = append(got, is)
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("revisions (-want +got):\n%s", diff)
			}
		})
	}
}
