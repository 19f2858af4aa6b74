package autoscalers

import (
	"fmt"

	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// ImpossibleBounds are limits that a CronHPA's rule would put in force and no FedHPA can divide.
type ImpossibleBounds struct {
	// Rule is the rule's place in the CronHPA's spec, Field the one of its fields that is wrong, Value what that says.
	Rule  int
	Field string
	Value int32
	// Why says what the limits would be.
	Why string
}

// Impossible finds the first rule of a CronHPA whose limits, with the FedHPA's own where the rule leaves one open, cannot be divided; nil
// when all can. Whichever of the two objects comes second is refused for it.
func Impossible(cron *v1alpha1.CronHPA, fed *v1alpha1.FedHPA) *ImpossibleBounds {
	for i, rule := range cron.Spec.Rules {
		lo, hi := ptr.Deref(rule.TargetMinReplicas, fed.Spec.MinReplicas), ptr.Deref(rule.TargetMaxReplicas, fed.Spec.MaxReplicas)
		wrong := &ImpossibleBounds{Rule: i, Field: "targetMinReplicas", Value: lo}
		switch {
		case lo < 1:
			wrong.Why = "a FedHPA's lower limit is 1 or more: set targetMinReplicas to at least 1"
		case hi > v1alpha1.FedHPAMostReplicas:
			wrong.Field, wrong.Value = "targetMaxReplicas", hi
			wrong.Why = fmt.Sprintf("a FedHPA's upper limit is at most %d: lower targetMaxReplicas", v1alpha1.FedHPAMostReplicas)
		case lo > hi && rule.TargetMaxReplicas == nil:
			wrong.Why = fmt.Sprintf(
				"with maxReplicas %d of FedHPA %s the limits would be %d..%d: set targetMaxReplicas in the rule as well, or raise spec.maxReplicas "+
					"of the FedHPA first",
				hi, fed.Name, lo, hi)
		case lo > hi:
			wrong.Field, wrong.Value = "targetMaxReplicas", hi
			wrong.Why = fmt.Sprintf(
				"with minReplicas %d of FedHPA %s the limits would be %d..%d: set targetMinReplicas in the rule as well, or lower spec.minReplicas "+
					"of the FedHPA first",
				lo, fed.Name, lo, hi)
		default:
			continue
		}
		return wrong
	}
	return nil
}
