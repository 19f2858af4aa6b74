package fedhpa

import (
	"context"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/argosy-dev/argosy/fedhpa/decide"
)

// silent is an estimator that knows nothing.
type silent struct{}

func (silent) Free(context.Context, string, *workv1alpha2.ResourceBinding) (int32, bool) {
	return 0, false
}

func (silent) Unschedulable(context.Context, string, *workv1alpha2.ResourceBinding) (int32, bool) {
	return 0, false
}

// TestRoomFallsBack: where no estimator answers the Cluster's status does, and where that says nothing the room is unknown.
func TestRoomFallsBack(t *testing.T) {
	known := &clusterv1alpha1.Cluster{Status: clusterv1alpha1.ClusterStatus{
		ResourceSummary: &clusterv1alpha1.ResourceSummary{Allocatable: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("30")}},
	}}
	cases := map[string]struct {
		ready    bool
		cluster  *clusterv1alpha1.Cluster
		want     *int32
		wantFrom string
	}{
		"Cluster status":           {true, known, new(int32), "Cluster status"},
		"a Cluster without status": {true, &clusterv1alpha1.Cluster{}, nil, ""},
		"a Cluster that is gone":   {true, nil, nil, ""},
		"unreachable":              {false, known, nil, ""},
	}
	*cases["Cluster status"].want = 30
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &room{estimator: silent{}, metrics: newMeasures()}
			got := r.ask(t.Context(), &view{binding: &workv1alpha2.ResourceBinding{}}, &decide.Member{Name: "m1", Ready: tc.ready}, tc.cluster)
			if diff := cmp.Diff(tc.want, got.free); diff != "" || got.from != tc.wantFrom {
				t.Errorf("free from %q (-want +got):\n%s", got.from, diff)
			}
		})
	}
}
