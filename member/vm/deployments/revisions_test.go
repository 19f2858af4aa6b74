package deployments

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/control"
)

// TestRevisionsAreRead from the cache: each change of each of ten thousand Servers has a VMDeployment looked at. Only what the cache does
// not know is asked of the API server.
func TestRevisionsAreRead(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	deployment := &v1alpha1.VMDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u"}}
	deployment.Spec.Release.Version = "1"
	stored := func(name string, revision int64) *appsv1.ControllerRevision {
		out := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, Labels: map[string]string{LabelDeployment: "u"},
		}, Revision: revision}
		if err := controllerutil.SetControllerReference(deployment, out, scheme); err != nil {
			t.Fatal(err)
		}
		return out
	}
	asked := RevisionName("web", deployment.Spec.Release)
	for name, tc := range map[string]struct {
		cached   []string
		rollback string
		want     int
	}{
		"known":                     {cached: []string{asked, "web-0"}},
		"not known yet":             {cached: []string{"web-0"}, want: 1},
		"a rollback to one known":   {cached: []string{asked, "web-0"}, rollback: "web-0"},
		"a rollback to one unknown": {cached: []string{asked}, rollback: "web-0", want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			lists := 0
			live := fake.NewClientBuilder().WithScheme(scheme).WithObjects(stored(asked, 2), stored("web-0", 1)).
				WithInterceptorFuncs(interceptor.Funcs{
					List: func(ctx context.Context, c client.WithWatch, o client.ObjectList, options ...client.ListOption) error {
						lists++
						return c.List(ctx, o, options...)
					},
				}).Build()
			cache := fake.NewClientBuilder().WithScheme(scheme)
			for i, name := range tc.cached {
				cache.WithObjects(stored(name, int64(len(tc.cached)-i)))
			}
			r := New(Options{}, control.Means{Cache: cache.Build(), Live: live})
			object := deployment.DeepCopy()
			if tc.rollback != "" {
				object.Spec.RollbackTo = &v1alpha1.RollbackTarget{Revision: tc.rollback}
			}
			w := &work{deployment: object}
			if err := r.readRevisions(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			have := ""
			for _, revision := range w.revisions {
				have += fmt.Sprint(revision.Revision)
			}
			if lists != tc.want || have != "12" && tc.want == 1 {
				t.Errorf("%d live lists, want %d; revisions %s", lists, tc.want, have)
			}
		})
	}
	if have := Revisions().String(); have != LabelDeployment {
		t.Errorf("the cache selects %q", have)
	}
}
