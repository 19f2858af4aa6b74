package iskarmada

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/publish"
)

func TestIsKarmada(t *testing.T) {
	const web = "?namespace=shop&kind=Deployment&name=web"
	workload := v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	application := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deployment-web"}}
	application.Spec.WorkloadReference = workload
	application.Status.Management, application.Status.Phase = v1alpha1.ManagementFederated, v1alpha1.PhaseFederated
	application.Status.Clusters = []v1alpha1.ClusterStatus{{Name: "a"}, {Name: "b"}}
	all := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: "all"}}
	all.Spec.Entries = []v1alpha1.WhitelistEntry{{
		Namespace: "shop", Environment: v1alpha1.EnvironmentTest, WorkloadReference: workload,
	}}
	kinds := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(kinds); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		method, query string
		silent        bool
		status        int
		want          publish.Answer
		says          string
	}{
		"federated": {query: web, status: http.StatusOK, want: publish.Answer{
			IsKarmada: true, Management: v1alpha1.ManagementFederated, Phase: v1alpha1.PhaseFederated, Whitelisted: true,
			Clusters: []string{"a", "b"},
		}},
		"nobody knows it": {
			query: "?namespace=shop&kind=Deployment&name=other", status: http.StatusOK, want: publish.Answer{Management: v1alpha1.ManagementStatic},
		},
		"without a name": {
			query: "?namespace=shop&kind=Deployment", status: http.StatusBadRequest, says: "namespace, kind and name of the workload are needed",
		},
		"a slip of the pen": {
			query: "?namespace=shop&kind=Deploymnt&name=web", status: http.StatusBadRequest, says: `"Deploymnt" is none of the kinds`,
		},
		"as kubectl calls it": {
			query: "?namespace=shop&kind=deploy&name=other", status: http.StatusOK, want: publish.Answer{Management: v1alpha1.ManagementStatic},
		},
		"a write":                {method: http.MethodPost, query: web, status: http.StatusMethodNotAllowed, says: "only GET"},
		"the plane is not there": {query: web, silent: true, status: http.StatusServiceUnavailable, says: "publish nowhere until it does"},
	} {
		t.Run(name, func(t *testing.T) {
			reader := fake.NewClientBuilder().WithScheme(kinds).WithObjects(application, all).
				WithInterceptorFuncs(
					interceptor.Funcs{List: func(ctx context.Context, inner client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
						if tc.silent {
							return errors.New("connection refused")
						}
						return inner.List(ctx, list, options...)
					}}).Build()
			out := httptest.NewRecorder()
			method := tc.method
			if method == "" {
				method = http.MethodGet
			}
			Handler(reader).ServeHTTP(out, httptest.NewRequestWithContext(t.Context(), method, Path+tc.query, nil))
			if out.Code != tc.status || !strings.Contains(out.Body.String(), tc.says) {
				t.Fatalf("HTTP %d: %s, want %d and %q", out.Code, out.Body, tc.status, tc.says)
			}
			if tc.status != http.StatusOK {
				return
			}
			got := publish.Answer{}
			if err := json.Unmarshal(out.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
