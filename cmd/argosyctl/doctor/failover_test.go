package doctor

import (
	"strings"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// TestFailover: settings by which a member that is away for a moment costs replicas are found, and none where nothing evicts.
func TestFailover(t *testing.T) {
	notReady := func(effect corev1.TaintEffect, back bool) policyv1alpha1.ClusterTaintPolicy {
		p := policyv1alpha1.ClusterTaintPolicy{ObjectMeta: metav1.ObjectMeta{Name: "lost"}}
		p.Spec.AddOnConditions = []policyv1alpha1.MatchCondition{{ConditionType: "Ready", Operator: policyv1alpha1.MatchConditionOpIn,
			StatusValues: []metav1.ConditionStatus{metav1.ConditionFalse}}}
		if back {
			p.Spec.RemoveOnConditions = p.Spec.AddOnConditions
		}
		p.Spec.Taints = []policyv1alpha1.Taint{{Key: "cluster.karmada.io/not-ready", Effect: effect}}
		return p
	}
	of := func(kind string, clusters []string, tolerations ...corev1.Toleration) Propagation {
		p := Propagation{Object: "PropagationPolicy/shop/web", Selectors: []policyv1alpha1.ResourceSelector{{Kind: kind}}}
		p.Placement.ClusterAffinity = &policyv1alpha1.ClusterAffinity{ClusterNames: clusters}
		p.Placement.ClusterTolerations = tolerations
		return p
	}
	two := []string{"member1", "member2"}
	exists := corev1.Toleration{Key: "cluster.karmada.io/not-ready", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}
	minutes := exists
	minutes.TolerationSeconds = ptr.To[int64](300)
	directly := of("CloneSet", two, minutes)
	directly.Failover = &policyv1alpha1.FailoverBehavior{Cluster: &policyv1alpha1.ClusterFailoverBehavior{
		PurgeMode: policyv1alpha1.PurgeModeDirectly}}
	other := minutes
	other.Key = "example.com/other"
	evicts := notReady(corev1.TaintEffectNoExecute, true)
	for name, tc := range map[string]struct {
		taints   []policyv1alpha1.ClusterTaintPolicy
		policies []Propagation
		want     string
	}{
		"as recommended": {[]policyv1alpha1.ClusterTaintPolicy{evicts}, []Propagation{of("CloneSet", two, minutes)}, ""},
		"nothing evicts": {nil, []Propagation{of("CloneSet", two)}, ""},
		"it only gets nothing more": {[]policyv1alpha1.ClusterTaintPolicy{notReady("NoSchedule", true)},
			[]Propagation{of("CloneSet", two)}, ""},
		"a taint that stays": {[]policyv1alpha1.ClusterTaintPolicy{notReady("NoSchedule", false)}, nil, "no removeOnConditions"},
		"away for a moment": {[]policyv1alpha1.ClusterTaintPolicy{evicts}, []Propagation{of("CloneSet", two)},
			"does not tolerate taint"},
		"another taint is tolerated": {[]policyv1alpha1.ClusterTaintPolicy{evicts}, []Propagation{of("CloneSet", two, other)},
			"away for a moment"},
		"removed before others run": {nil, []Propagation{directly}, "removed before others run"},
		"machines": {[]policyv1alpha1.ClusterTaintPolicy{evicts}, []Propagation{of("VMReplicaSet", two, minutes)},
			"gets its VMReplicaSet made anew elsewhere"},
		"machines that stay": {[]policyv1alpha1.ClusterTaintPolicy{evicts}, []Propagation{of("VMReplicaSet", two, exists)}, ""},
		"everything is tolerated": {[]policyv1alpha1.ClusterTaintPolicy{evicts}, []Propagation{of("StatefulSet", two,
			corev1.Toleration{Operator: corev1.TolerationOpExists})}, ""},
		"the shorter counts": {[]policyv1alpha1.ClusterTaintPolicy{evicts}, []Propagation{of("StatefulSet", two, exists, minutes)}, "made anew"},
		"no other place": {[]policyv1alpha1.ClusterTaintPolicy{evicts}, []Propagation{of("CloneSet", two[:1], minutes)},
			"admits member1 alone: what is evicted has no place to go"},
		"one place, and it stays": {[]policyv1alpha1.ClusterTaintPolicy{evicts}, []Propagation{of("CloneSet", two[:1], exists)}, ""},
	} {
		got := failovers(Facts{Taints: tc.taints, Propagations: tc.policies}, now)
		switch {
		case tc.want == "" && len(got) > 0:
			t.Errorf("%s: %+v", name, got)
		case tc.want != "" && (len(got) != 1 || got[0].Severity != Warning || !strings.Contains(got[0].Message, tc.want) || got[0].Remedy == ""):
			t.Errorf("%s: %+v, want one warning with %q", name, got, tc.want)
		}
	}
}
