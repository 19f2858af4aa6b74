package fedhpa

import (
	"fmt"
	"math"
	"math/big"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// part is one member's limits, and the upper limits of all members together, of which its own is a share.
type part struct {
	split.Range
	of int32
}

// together are the upper limits of all clusters of the division in force.
func together(status *api.FedHPAStatus) int32 {
	var sum int32
	for _, c := range status.Clusters {
		if decide.TakesPart(c.State) {
			sum += c.MaxReplicas
		}
	}
	return sum
}

// shared divides what every member's autoscaler would take for the whole: with an averageValue of External or Object metrics each asks for
// as many replicas as the metric has such values. Where all members see the same metric, a member's target is the user's, divided by the
// member's share.
func shared(metrics []autoscalingv2.MetricSpec, p part) {
	for i := range metrics {
		if target := wholeTarget(&metrics[i]); target != nil {
			target.AverageValue = divided(*target.AverageValue, p)
		}
	}
}

// wholeTarget is the target of a metric that counts in whole values and not by replica, nil of any other.
func wholeTarget(m *autoscalingv2.MetricSpec) *autoscalingv2.MetricTarget {
	switch {
	case m.External != nil && m.External.Target.AverageValue != nil:
		return &m.External.Target
	case m.Object != nil && m.Object.Target.AverageValue != nil:
		return &m.Object.Target
	}
	return nil
}

// divided is value x of / max, rounded up to thousandths: an autoscaler compares in those.
func divided(value resource.Quantity, p part) *resource.Quantity {
	if p.Max < 1 || p.of <= p.Max {
		return &value
	}
	n := new(big.Int).Mul(big.NewInt(value.MilliValue()), big.NewInt(int64(p.of)))
	n.Add(n, big.NewInt(int64(p.Max)-1)).Quo(n, big.NewInt(int64(p.Max)))
	if !n.IsInt64() {
		n.SetInt64(math.MaxInt64)
	}
	return resource.NewMilliQuantity(n.Int64(), value.Format)
}

// warnings are what a person should know of a FedHPA that is allowed.
func warnings(fed *api.FedHPA) []string {
	var out []string
	if b := fed.Spec.Behavior; b != nil {
		out = append(podsPolicies("scaleDown", b.ScaleDown), podsPolicies("scaleUp", b.ScaleUp)...)
	}
	for i := range fed.Spec.Metrics {
		if m := &fed.Spec.Metrics[i]; m.External != nil && m.External.Target.Value != nil {
			out = append(out,
				fmt.Sprintf(
					"spec.metrics[%d].external.target.value: every member compares the metric with it and grows by the same ratio, from what it runs", i))
		}
	}
	return out
}

// podsPolicies are those of a direction that allow pods by number.
func podsPolicies(direction string, rules *autoscalingv2.HPAScalingRules) (out []string) {
	if rules == nil {
		return nil
	}
	for i, policy := range rules.Policies {
		if policy.Type == autoscalingv2.PodsScalingPolicy {
			out = append(out, fmt.Sprintf("spec.behavior.%s.policies[%d]: %d Pods in %d s are allowed in every member by itself, not in all "+
				"together; type Percent is the same in both", direction, i, policy.Value, policy.PeriodSeconds))
		}
	}
	return out
}
