package reschedule

import (
	"strings"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/reschedule/decide"
)

// members that know Deployments.
func members(names ...string) []clusterv1alpha1.Cluster {
	var out []clusterv1alpha1.Cluster
	for _, name := range names {
		out = append(out, clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: clusterv1alpha1.ClusterStatus{
			APIEnablements: []clusterv1alpha1.APIEnablement{{
				GroupVersion: "apps/v1", Resources: []clusterv1alpha1.APIResource{{Kind: "Deployment"}},
			}},
		}})
	}
	return out
}

// bindingOf a Deployment divided by what is available.
func bindingOf(placement policyv1alpha1.Placement, clusters ...workv1alpha2.TargetCluster) *workv1alpha2.ResourceBinding {
	if placement.ReplicaScheduling == nil {
		placement.ReplicaScheduling = &policyv1alpha1.ReplicaSchedulingStrategy{
			ReplicaSchedulingType:     policyv1alpha1.ReplicaSchedulingTypeDivided,
			ReplicaDivisionPreference: policyv1alpha1.ReplicaDivisionPreferenceWeighted,
			WeightPreference:          &policyv1alpha1.ClusterPreferences{DynamicWeight: policyv1alpha1.DynamicWeightByAvailableReplicas},
		}
	}
	b := &workv1alpha2.ResourceBinding{Spec: workv1alpha2.ResourceBindingSpec{
		Resource:  workv1alpha2.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
		Placement: &placement, Clusters: clusters,
	}}
	for _, c := range clusters {
		b.Spec.Replicas += c.Replicas
	}
	return b
}

func in(names ...string) policyv1alpha1.ClusterAffinity {
	return policyv1alpha1.ClusterAffinity{ClusterNames: names}
}

// TestRehearse plays Karmada's own scheduler where lowering a donor by two would stop pods that run (design, S1 to S3): nothing moves then,
// and who would lose is named. Where it would not, its result has the same sum.
func TestRehearse(t *testing.T) {
	three := in("member1", "member2", "member3")
	type targets = []workv1alpha2.TargetCluster
	cases := map[string]struct {
		placement policyv1alpha1.Placement
		observed  string
		clusters  targets
		room      map[string]int32
		want      []decide.Target
		wantWords string
	}{
		"a cluster with room": {policyv1alpha1.Placement{ClusterAffinity: &three}, "",
			targets{{Name: "member1", Replicas: 5}, {Name: "member2", Replicas: 4}},
			map[string]int32{"member3": 7}, []decide.Target{{Cluster: "member1", Replicas: 3}, {Cluster: "member2", Replicas: 4},
				{Cluster: "member3", Replicas: 2}}, "moved 2 from member1 to member3"},
		"S1: the next group of clusters": {policyv1alpha1.Placement{ClusterAffinities: []policyv1alpha1.ClusterAffinityTerm{
			{AffinityName: "own", ClusterAffinity: in("member1")}, {AffinityName: "rented", ClusterAffinity: in("member2")},
		}}, "own", targets{{Name: "member1", Replicas: 10}}, map[string]int32{"member2": 12}, nil, "find no place either"},
		"S2: the overflow is emptied": {policyv1alpha1.Placement{ClusterAffinities: []policyv1alpha1.ClusterAffinityTerm{{
			AffinityName: "own", ClusterAffinity: in("member1", "member3"),
			OverflowAffinities: []policyv1alpha1.OverflowClusterAffinity{{ClusterAffinity: in("member2")}},
		}}}, "own", targets{{Name: "member1", Replicas: 6}, {Name: "member2", Replicas: 4}}, map[string]int32{"member3": 10}, nil,
			"taking another cluster would move more: member2 would keep 0 of 4 replicas"},
		"S3: the spread changes a member for another": {policyv1alpha1.Placement{ClusterAffinity: &three,
			SpreadConstraints: []policyv1alpha1.SpreadConstraint{{SpreadByField: policyv1alpha1.SpreadByFieldCluster, MinGroups: 1, MaxGroups: 2}}},
			"", targets{{Name: "member1", Replicas: 5}, {Name: "member2", Replicas: 5}}, map[string]int32{"member3": 20}, nil,
			"taking another cluster would move more: member1 would keep 0 of 3 replicas"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := bindingOf(tc.placement, tc.clusters...)
			b.Status.SchedulerObservedAffinityName = tc.observed
			gives := map[string]int32{"member1": 2}
			got, err := rehearse(t.Context(), b, members("member1", "member2", "member3"), tc.room, gives)
			failure := ""
			if err != nil {
				failure = err.Error()
			}
			w := decide.World{Binding: decide.Binding{Replicas: b.Spec.Replicas}}
			for _, c := range tc.clusters {
				w.Clusters = append(w.Clusters, decide.Cluster{Name: c.Name, Assigned: c.Replicas})
			}
			d := decide.Widened(w, decide.Decision{Verdict: decide.NoRoom}, gives, tc.room, got, failure)
			if diff := cmp.Diff(tc.want, d.Targets); diff != "" || !strings.Contains(d.Message, tc.wantWords) {
				t.Errorf("%s of %v, want %q; division (-want +got):\n%s", d.Message, got, tc.wantWords, diff)
			}
		})
	}
}

// TestTiers: overflow groups come after the first, in their order.
func TestTiers(t *testing.T) {
	b := bindingOf(policyv1alpha1.Placement{ClusterAffinities: []policyv1alpha1.ClusterAffinityTerm{{
		AffinityName: "own", ClusterAffinity: in("member1"), OverflowAffinities: []policyv1alpha1.OverflowClusterAffinity{
			{ClusterAffinity: in("member2")}, {ClusterAffinity: in("member3")},
		},
	}}})
	b.Status.SchedulerObservedAffinityName = "own"
	p, err := newPlacement(b)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	all := members("member1", "member2", "member3", "member4")
	for i := range all {
		got = append(got, p.tier(&all[i]))
	}
	if diff := cmp.Diff([]int{0, 1, 2, 0}, got); diff != "" {
		t.Errorf("tiers (-want +got):\n%s", diff)
	}
	if why := p.closed(t.Context(), &all[3]); !strings.HasPrefix(why, "karmada-scheduler would not choose it: ") {
		t.Errorf("member4 is closed: %q", why)
	}
}
