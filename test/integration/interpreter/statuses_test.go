package interpreter

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
)

// member is a Cluster of that name.
func member(t *testing.T, name, ready string) *unstructured.Unstructured {
	t.Helper()
	cluster := &unstructured.Unstructured{Object: map[string]any{}}
	cluster.SetAPIVersion("cluster.karmada.io/v1alpha1")
	cluster.SetKind("Cluster")
	cluster.SetName(name)
	says(cluster, ready)
	create(t, cluster)
	return cluster
}

// says gives a Cluster the condition Ready.
func says(cluster *unstructured.Unstructured, ready string) {
	cluster.Object["status"] = map[string]any{"conditions": []any{map[string]any{
		"type": "Ready", "status": ready, "reason": "Test", "message": "", "lastTransitionTime": "2026-11-28T10:00:00Z",
	}}}
}

// TestKarmadasOwnKindsWithAMemberAway goes the way of Karmada's controllers: read the template, ask, write its status if it is another.
// What the member that is away said last stands and counts as ready no more; what is stored is what is answered, or each aggregation
// would write.
func TestKarmadasOwnKindsWithAMemberAway(t *testing.T) {
	ns := namespace(t)
	here, away := ns+"-here", ns+"-away"
	member(t, here, "True")
	create(t, plane.StartWebhook(t).Registration())
	k := plane.Karmada(t)
	for name, tc := range map[string]struct {
		template client.Object
		version  schema.GroupVersion
		reported map[string]any
		counted  string
		// away and back are what is counted while the member is away, and again.
		away, back int
	}{
		"Deployment": {
			deployment(ns), appsv1.SchemeGroupVersion,
			map[string]any{"replicas": 3, "readyReplicas": 3, "updatedReplicas": 3, "availableReplicas": 3},
			"readyReplicas", 3, 6,
		},
		"ReplicaSet": {
			replicaSet(ns), appsv1.SchemeGroupVersion, map[string]any{"replicas": 3, "readyReplicas": 3, "availableReplicas": 3},
			"readyReplicas", 3, 6,
		},
		// A pod that was active may be.
		"Job": {job(ns), batchv1.SchemeGroupVersion, map[string]any{"active": 3, "startTime": "2026-11-28T10:00:00Z"}, "active", 6, 6},
		"PodDisruptionBudget": {
			budget(ns), policyv1.SchemeGroupVersion,
			map[string]any{"currentHealthy": 3, "desiredHealthy": 1, "expectedPods": 3, "disruptionsAllowed": 2},
			"currentHealthy", 3, 6,
		},
		"DaemonSet": {daemonSet(ns), appsv1.SchemeGroupVersion, map[string]any{"desiredNumberScheduled": 3, "currentNumberScheduled": 3,
			"numberMisscheduled": 0, "numberReady": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}, "numberReady", 3, 6},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			gone := member(t, away, "False")
			create(t, tc.template)
			if tc.version == appsv1.SchemeGroupVersion {
				tc.reported["generation"], tc.reported["observedGeneration"], tc.reported["resourceTemplateGeneration"] = 1, 1, 1
			}
			text, err := json.Marshal(tc.reported)
			if err != nil {
				t.Fatal(err)
			}
			raw := runtime.RawExtension{Raw: text}
			items := []workv1alpha2.AggregatedStatusItem{{ClusterName: here, Status: &raw}, {ClusterName: away, Status: &raw}}

			// aggregated is one round of karmada-controller-manager; it tells what the template says then, and whether it was written.
			aggregated := func() (said string, written bool, err error) {
				now := &unstructured.Unstructured{}
				now.SetGroupVersionKind(tc.version.WithKind(name))
				if err := plane.Client.Get(t.Context(), client.ObjectKeyFromObject(tc.template), now); err != nil {
					return "", false, err
				}
				next, err := k.AggregateStatus(now.DeepCopy(), items)
				if err != nil {
					return "", false, err
				}
				if !reflect.DeepEqual(now.Object["status"], next.Object["status"]) {
					written = true
					if err := plane.Client.Status().Update(t.Context(), next); err != nil {
						return "", false, err
					}
				}
				counted, _, _ := unstructured.NestedInt64(next.Object, "status", tc.counted)
				said = strconv.Itoa(int(counted)) + " " + tc.counted
				conditions, _, _ := unstructured.NestedSlice(next.Object, "status", "conditions")
				for _, item := range conditions {
					if condition, _ := item.(map[string]any); condition["type"] == aggregate.ConditionMembersReported {
						said += ", " + condition["reason"].(string)
						if since, _ := condition["lastTransitionTime"].(string); since == "" {
							return "", false, errors.New("nobody says since when")
						}
					}
				}
				return said, written, nil
			}
			settles := func(want string) {
				t.Helper()
				g.Eventually(func() (string, error) {
					said, _, err := aggregated()
					return said, err
				}, within, every).Should(gomega.Equal(want))
				if said, written, err := aggregated(); err != nil || written || said != want {
					t.Errorf("asked again: %s, %v, written %v", said, err, written)
				}
			}
			settles(strconv.Itoa(tc.away) + " " + tc.counted + ", MemberUnreachable")
			says(gone, "True")
			if err := plane.Client.Update(t.Context(), gone); err != nil {
				t.Fatal(err)
			}
			settles(strconv.Itoa(tc.back) + " " + tc.counted)
		})
	}
}

// TestEachMemberIsAskedWhereAllIsDuplicated reads the placement from the real binding, and follows a policy that changes.
func TestEachMemberIsAskedWhereAllIsDuplicated(t *testing.T) {
	g := gomega.NewWithT(t)
	create(t, plane.StartWebhook(t).Registration())
	k := plane.Karmada(t)
	template := cloneSet(namespace(t))
	template.SetGeneration(1)
	b := binding(template, policyv1alpha1.ReplicaSchedulingTypeDuplicated,
		workv1alpha2.TargetCluster{Name: "member1", Replicas: 10}, workv1alpha2.TargetCluster{Name: "member2", Replicas: 10})
	create(t, b)
	var items []workv1alpha2.AggregatedStatusItem
	for cluster, updated := range map[string]int{"member1": 1, "member2": 0} {
		text, err := json.Marshal(map[string]any{"replicas": 10, "readyReplicas": 10, "updatedReplicas": updated,
			"generation": 1, "observedGeneration": 1, "resourceTemplateGeneration": 1})
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, workv1alpha2.AggregatedStatusItem{ClusterName: cluster, Status: &runtime.RawExtension{Raw: text}})
	}
	said := func() (string, error) {
		out, err := k.AggregateStatus(template.DeepCopy(), items)
		if err != nil {
			return "", err
		}
		conditions, _, err := unstructured.NestedSlice(out.Object, "status", "conditions")
		for _, item := range conditions {
			if condition, _ := item.(map[string]any); condition["type"] == aggregate.ConditionRolloutAsAsked {
				return condition["message"].(string), nil
			}
		}
		return "", err
	}
	g.Eventually(said, within, every).Should(gomega.Equal("asked 1 of 10 updated in each member, 1 are: member1 1 of 10, member2 0 of 10"))

	b.Spec.Placement.ReplicaScheduling.ReplicaSchedulingType = policyv1alpha1.ReplicaSchedulingTypeDivided
	if err := plane.Client.Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	g.Eventually(said, within, every).Should(gomega.BeEmpty(), "replicas beyond the fleet's are on their way")
}
