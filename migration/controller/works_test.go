package controller

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util/names"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/migration/plan"
)

// TestWorksOfManyClusters: what is found does not depend on how many clusters there are, and what is asked does not grow with them beyond
// a request for each object. What bears the name in no cluster of the federation is none of them.
func TestWorksOfManyClusters(t *testing.T) {
	refs := []plan.Ref{
		{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, {APIVersion: "v1", Kind: "ConfigMap", Name: "web"},
		{APIVersion: "v1", Kind: "Secret", Name: "web"},
	}
	for clusters, wantAsked := range map[int]int64{2: 6, byName: 3 * byName, byName + 1: 3, 500: 3} {
		t.Run(fmt.Sprint(clusters), func(t *testing.T) {
			world := &plan.World{Namespace: "shop", Clusters: map[string]plan.Cluster{}}
			for i := range clusters {
				world.Clusters[fmt.Sprintf("member%d", i)] = plan.Cluster{Works: map[plan.Ref]plan.Work{}}
			}
			work := func(namespace string, of plan.Ref, application string) client.Object {
				return &workv1alpha1.Work{ObjectMeta: metav1.ObjectMeta{Namespace: namespace,
					Name: names.GenerateWorkName(of.Kind, application, "shop")}}
			}
			first, last := names.GenerateExecutionSpaceName("member0"), names.GenerateExecutionSpaceName(fmt.Sprintf("member%d", clusters-1))
			var asked atomic.Int64
			reader := fake.NewClientBuilder().WithScheme(workScheme(t)).
				WithIndex(&workv1alpha1.Work{}, metav1.ObjectNameField, func(o client.Object) []string { return []string{o.GetName()} }).
				WithObjects(work(first, refs[0], "web"), work(last, refs[0], "web"), work(last, refs[1], "web"), work(last, refs[2], "other"),
					work(names.GenerateExecutionSpaceName("gone"), refs[2], "web"), work("default", refs[2], "web")).
				WithInterceptorFuncs(interceptor.Funcs{
					Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, as ...client.GetOption) error {
						asked.Add(1)
						return c.Get(ctx, key, o, as...)
					},
					List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, as ...client.ListOption) error {
						asked.Add(1)
						return c.List(ctx, list, as...)
					},
				}).Build()
			if err := (&Controller{Reader: reader}).works(t.Context(), world, refs); err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for name, cluster := range world.Clusters {
				for ref := range cluster.Works {
					got[name+" "+ref.Kind]++
				}
			}
			lastName := fmt.Sprintf("member%d", clusters-1)
			if len(got) != 3 || got["member0 Deployment"] != 1 || got[lastName+" Deployment"] != 1 || got[lastName+" ConfigMap"] != 1 {
				t.Errorf("found %v", got)
			}
			if asked.Load() != wantAsked {
				t.Errorf("asked %d times, want %d", asked.Load(), wantAsked)
			}
		})
	}
}
