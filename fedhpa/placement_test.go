package fedhpa

import (
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func makeCluster(name, region string) *clusterv1alpha1.Cluster {
	c := &clusterv1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"rack": region + "-1"}},
		Spec:       clusterv1alpha1.ClusterSpec{Region: region},
	}
	c.Status.APIEnablements = []clusterv1alpha1.APIEnablement{
		{GroupVersion: "apps/v1", Resources: []clusterv1alpha1.APIResource{{Kind: "Deployment"}}},
	}
	c.Status.Conditions = []metav1.Condition{{Type: clusterv1alpha1.ClusterConditionCompleteAPIEnablements, Status: metav1.ConditionTrue}}
	return c
}

func makePlaced(change func(*workv1alpha2.ResourceBinding)) *workv1alpha2.ResourceBinding {
	b := &workv1alpha2.ResourceBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-deployment"},
		Spec: workv1alpha2.ResourceBindingSpec{
			Resource: workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, Replicas: 2,
			Clusters: []workv1alpha2.TargetCluster{{Name: "m1", Replicas: 2}}, Placement: &policyv1alpha1.Placement{},
		},
	}
	change(b)
	return b
}

// TestPlacementLets: what karmada-scheduler would not do is not done past it.
func TestPlacementLets(t *testing.T) {
	overflowing := func(b *workv1alpha2.ResourceBinding) {
		b.Status.SchedulerObservedAffinityName = "own"
		b.Spec.Placement.ClusterAffinities = []policyv1alpha1.ClusterAffinityTerm{{
			AffinityName: "own", ClusterAffinity: policyv1alpha1.ClusterAffinity{ClusterNames: []string{"m1"}},
			OverflowAffinities: []policyv1alpha1.OverflowClusterAffinity{
				{AffinityName: "rented", ClusterAffinity: policyv1alpha1.ClusterAffinity{ClusterNames: []string{"other"}}},
				{AffinityName: "dear", ClusterAffinity: policyv1alpha1.ClusterAffinity{ClusterNames: []string{"other", "m2"}}},
			},
		}}
	}
	neighbour := func(groups workv1alpha2.WorkloadAffinityGroups, in string) *workv1alpha2.ResourceBinding {
		return makePlaced(func(b *workv1alpha2.ResourceBinding) {
			b.Name, b.Spec.WorkloadAffinityGroups, b.Spec.Clusters = "cache-deployment", &groups, []workv1alpha2.TargetCluster{{Name: in}}
		})
	}
	together := workv1alpha2.WorkloadAffinityGroups{AffinityGroup: "app=shop"}
	apart := workv1alpha2.WorkloadAffinityGroups{AntiAffinityGroup: "app=shop"}
	grouped := func(g workv1alpha2.WorkloadAffinityGroups) func(*workv1alpha2.ResourceBinding) {
		return func(b *workv1alpha2.ResourceBinding) { b.Spec.WorkloadAffinityGroups = &g }
	}
	for name, tc := range map[string]struct {
		placed    func(*workv1alpha2.ResourceBinding)
		cluster   func(*clusterv1alpha1.Cluster)
		neighbour *workv1alpha2.ResourceBinding
		want      bool
		wantTier  int
	}{
		"no rule": {want: true},
		"tainted": {cluster: func(c *clusterv1alpha1.Cluster) {
			c.Spec.Taints = []corev1.Taint{{Key: "dedicated", Effect: corev1.TaintEffectNoSchedule}}
		}},
		"without the kind": {cluster: func(c *clusterv1alpha1.Cluster) { c.Status.APIEnablements = nil }},
		"being removed":    {cluster: func(c *clusterv1alpha1.Cluster) { c.DeletionTimestamp = ptr.To(metav1.Now()) }},
		"another's name": {placed: func(b *workv1alpha2.ResourceBinding) {
			b.Spec.Placement.ClusterAffinity = &policyv1alpha1.ClusterAffinity{ClusterNames: []string{"m1"}}
		}},
		"spread by region, without one": {placed: func(b *workv1alpha2.ResourceBinding) {
			b.Spec.Placement.SpreadConstraints = []policyv1alpha1.SpreadConstraint{{SpreadByField: policyv1alpha1.SpreadByFieldRegion}}
		}, cluster: func(c *clusterv1alpha1.Cluster) { c.Spec.Region = "" }},
		"in the first overflow":     {placed: overflowing, want: true, wantTier: 1},
		"beside its like":           {placed: grouped(together), neighbour: neighbour(together, "other"), want: true},
		"where its like is not":     {placed: grouped(together), neighbour: neighbour(together, "m1")},
		"apart from its like":       {placed: grouped(apart), neighbour: neighbour(apart, "m1"), want: true},
		"where its like is already": {placed: grouped(apart), neighbour: neighbour(apart, "other")},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cluster := makeCluster("other", "south")
			if tc.cluster != nil {
				tc.cluster(cluster)
			}
			if tc.placed == nil {
				tc.placed = func(*workv1alpha2.ResourceBinding) {}
			}
			builder := fake.NewClientBuilder().WithScheme(testScheme(g))
			if tc.neighbour != nil {
				builder = builder.WithObjects(tc.neighbour)
			}
			p, err := (&gatherer{client: builder.Build()}).placement(t.Context(), &view{binding: makePlaced(tc.placed)})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(p.lets(t.Context(), cluster)).To(Equal(tc.want))
			g.Expect(p.tier(cluster)).To(Equal(tc.wantTier))
		})
	}
}

// TestPlacementGroups: each constraint's groups of a cluster, in the order of the constraints.
func TestPlacementGroups(t *testing.T) {
	g := NewWithT(t)
	p := &placement{binding: makePlaced(func(b *workv1alpha2.ResourceBinding) {
		b.Spec.Placement.SpreadConstraints = []policyv1alpha1.SpreadConstraint{
			{SpreadByField: policyv1alpha1.SpreadByFieldCluster, MaxGroups: 3}, {SpreadByField: policyv1alpha1.SpreadByFieldRegion, MinGroups: 2},
			{SpreadByField: policyv1alpha1.SpreadByFieldZone}, {SpreadByLabel: "rack"},
		}
	})}
	cluster := makeCluster("m1", "south")
	cluster.Spec.Zones = []string{"a", "b"}
	g.Expect(p.groups(cluster)).To(Equal([][]string{{"m1"}, {"south"}, {"a", "b"}, {"south-1"}}))
	g.Expect(p.spread()).To(HaveLen(4))
	g.Expect(p.spread()[0].MaxGroups).To(Equal(3))
	g.Expect(p.spread()[1].MinGroups).To(Equal(2))
}
