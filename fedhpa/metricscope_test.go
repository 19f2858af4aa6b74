package fedhpa

import (
	"testing"

	. "github.com/onsi/gomega"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

func queue(target autoscalingv2.MetricTarget) []autoscalingv2.MetricSpec {
	return []autoscalingv2.MetricSpec{{Type: autoscalingv2.ExternalMetricSourceType,
		External: &autoscalingv2.ExternalMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "queue"}, Target: target}}}
}

// TestOneQueueForAll: three members that see the same queue of 1,000, at 10 for each replica, run the 100 it asks for together, and
// not 300.
func TestOneQueueForAll(t *testing.T) {
	for name, tc := range map[string]struct {
		scope api.MetricScope
		want  int64
	}{
		"all see the same": {api.MetricScopeFederation, 100},
		"each its own":     {api.MetricScopeMember, 300},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			fed := makeFedHPA()
			fed.Spec.MetricScope = tc.scope
			fed.Spec.Metrics = queue(autoscalingv2.MetricTarget{
				Type: autoscalingv2.AverageValueMetricType, AverageValue: ptr.To(resource.MustParse("10")),
			})
			parts := []split.Range{{Min: 1, Max: 60}, {Min: 1, Max: 30}, {Min: 1, Max: 30}}
			for _, r := range parts {
				fed.Status.Clusters = append(fed.Status.Clusters, api.FedHPAClusterStatus{State: api.ClusterActive, MaxReplicas: r.Max})
			}
			fed.Status.Clusters = append(fed.Status.Clusters, api.FedHPAClusterStatus{State: api.ClusterStandby, MaxReplicas: 50})
			var asked int64
			for _, r := range parts {
				// As Kubernetes' replica calculator: the metric's value in thousandths, divided by the target's, rounded up.
				target := specOf(fed, r).Metrics[0].External.Target.AverageValue.MilliValue()
				asked += (1000_000 + target - 1) / target
			}
			g.Expect(asked).To(Equal(tc.want))
			g.Expect(fed.Spec.Metrics[0].External.Target.AverageValue.String()).To(Equal("10"), "the user's own stays")
		})
	}
}

// TestDividedValue: rounding asks for no more than the metric does, and nothing overflows.
func TestDividedValue(t *testing.T) {
	for name, tc := range map[string]struct {
		value  string
		of     int32
		most   int32
		wanted string
	}{
		"a third":       {"10", 30, 10, "30"},
		"rounded up":    {"1", 10, 7, "1429m"},
		"all of it":     {"10", 10, 10, "10"},
		"nothing known": {"10", 0, 10, "10"},
		"no share":      {"10", 10, 0, "10"},
		"enormous":      {"9e15", 100000, 1, "9223372036854775807m"},
	} {
		t.Run(name, func(t *testing.T) {
			got := divided(resource.MustParse(tc.value), part{Range: split.Range{Max: tc.most}, of: tc.of})
			if want := resource.MustParse(tc.wanted); got.Cmp(want) != 0 {
				t.Errorf("%s, want %s", got, tc.wanted)
			}
		})
	}
}

// TestWarnings: what is allowed and may surprise is said.
func TestWarnings(t *testing.T) {
	g := NewWithT(t)
	fed := makeFedHPA()
	g.Expect(warnings(fed)).To(BeEmpty())
	fed.Spec.Metrics = queue(autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: ptr.To(resource.MustParse("10"))})
	fed.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleUp: &autoscalingv2.HPAScalingRules{
		Policies: []autoscalingv2.HPAScalingPolicy{
			{Type: autoscalingv2.PercentScalingPolicy, Value: 10, PeriodSeconds: 15}, {
				Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15,
			},
		},
	}}
	g.Expect(warnings(fed)).To(ConsistOf(
		"spec.behavior.scaleUp.policies[1]: 4 Pods in 15 s are allowed in every member by itself, not in all together; type Percent is the "+
			"same in both",
		ContainSubstring("spec.metrics[0].external.target.value: every member compares")))
}
