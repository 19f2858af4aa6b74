package fit

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"
)

// Shape is how a pod's copies depend on each other, which decides how they can be counted.
type Shape string

// The shapes. All but Ordered have a closed form that does not depend on the order of placement.
const (
	// NodeLocal: a copy on one node changes nothing on any other.
	NodeLocal Shape = "nodeLocal"
	// SpreadOnce: one hard spread constraint, else node-local.
	SpreadOnce Shape = "spread"
	// SeparateOnce: one topology key over which the copies repel each other, else node-local.
	SeparateOnce Shape = "separate"
	// Ordered: anything else. Only placing one by one tells.
	Ordered Shape = "ordered"
)

// Rules are a pod's hard rules that look across nodes, parsed.
type Rules struct {
	Shape Shape
	// Why the pod is Ordered.
	Why string
	// Spread is the hard constraint of SpreadOnce.
	Spread *Spreading
	// Affinity and AntiAffinity are the required terms, as the scheduler parses them.
	Affinity, AntiAffinity []fwk.AffinityTerm
	// SeparateKey is the topology key of SeparateOnce.
	SeparateKey string
}

// Spreading is a hard topology spread constraint, parsed as PodTopologySpread does.
type Spreading struct {
	Key                         string
	Skew                        int64
	MinDomains                  int
	Selector                    labels.Selector
	HonorAffinity, HonorTaints  bool
	CountsCopies, MatchesCopies bool
}

// Classify says how the pod's copies can be counted. hardDefaults tells that the profile gives pods without constraints of their own hard
// ones, which depend on Services and owners: those pods are left to the scheduler.
func Classify(pod *corev1.Pod, info fwk.PodInfo, hardDefaults bool) Rules {
	rules := Rules{Shape: NodeLocal, Affinity: info.GetRequiredAffinityTerms(), AntiAffinity: info.GetRequiredAntiAffinityTerms()}
	if why := holdsState(pod); why != "" {
		return ordered(rules, why)
	}
	hard := hardConstraints(pod)
	switch {
	case hardDefaults && len(pod.Spec.TopologySpreadConstraints) == 0:
		return ordered(rules, "the profile's default spread constraints are hard")
	case len(hard) > 1:
		return ordered(rules, "several hard spread constraints")
	}
	// Required affinity to the copies themselves: the first copy decides where the rest may go. To others only, it is a fixed set of nodes.
	if matchesAll(rules.Affinity, pod) {
		return ordered(rules, "required affinity to its own kind")
	}
	for i := range rules.AntiAffinity {
		term := &rules.AntiAffinity[i]
		if !term.Matches(pod, nil) {
			continue
		}
		if rules.SeparateKey != "" && rules.SeparateKey != term.TopologyKey {
			return ordered(rules, "anti-affinity to its own kind over several topology keys")
		}
		rules.Shape, rules.SeparateKey = SeparateOnce, term.TopologyKey
	}
	if len(hard) == 0 {
		return rules
	}
	if rules.Shape == SeparateOnce {
		return ordered(rules, "spread constraint together with anti-affinity to its own kind")
	}
	spread, err := parseSpread(pod, hard[0])
	if err != nil {
		return ordered(rules, "a spread constraint that does not parse")
	}
	rules.Shape, rules.Spread = SpreadOnce, spread
	return rules
}

func ordered(rules Rules, why string) Rules {
	rules.Shape, rules.Why = Ordered, why
	return rules
}

// holdsState: volumes and claims are bound by Reserve and looked up in the cluster. The sources listed are those for which every in-tree
// volume plugin answers Skip (VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone), whatever the node.
func holdsState(pod *corev1.Pod) string {
	if len(pod.Spec.ResourceClaims) > 0 {
		return "resource claims"
	}
	for i := range pod.Spec.Volumes {
		source := &pod.Spec.Volumes[i].VolumeSource
		inert := source.EmptyDir != nil || source.ConfigMap != nil || source.Secret != nil || source.DownwardAPI != nil ||
			source.Projected != nil || source.HostPath != nil || source.Image != nil
		if !inert {
			return "volumes"
		}
	}
	return ""
}

func hardConstraints(pod *corev1.Pod) []corev1.TopologySpreadConstraint {
	var hard []corev1.TopologySpreadConstraint
	for _, constraint := range pod.Spec.TopologySpreadConstraints {
		if constraint.WhenUnsatisfiable == corev1.DoNotSchedule {
			hard = append(hard, constraint)
		}
	}
	return hard
}

// parseSpread follows podtopologyspread.filterTopologySpreadConstraints, defaults included.
func parseSpread(pod *corev1.Pod, c corev1.TopologySpreadConstraint) (*Spreading, error) {
	selector, err := metav1.LabelSelectorAsSelector(c.LabelSelector)
	if err != nil {
		return nil, err
	}
	own := labels.Set{}
	for _, key := range c.MatchLabelKeys {
		if value, ok := pod.Labels[key]; ok {
			own[key] = value
		}
	}
	if requirements, selectable := selector.Requirements(); selectable && len(own) > 0 {
		selector = labels.SelectorFromSet(own).Add(requirements...)
	}
	spread := &Spreading{Key: c.TopologyKey, Skew: int64(c.MaxSkew), MinDomains: 1, Selector: selector, HonorAffinity: true}
	if c.MinDomains != nil {
		spread.MinDomains = int(*c.MinDomains)
	}
	if c.NodeAffinityPolicy != nil {
		spread.HonorAffinity = *c.NodeAffinityPolicy == corev1.NodeInclusionPolicyHonor
	}
	if c.NodeTaintsPolicy != nil {
		spread.HonorTaints = *c.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor
	}
	spread.MatchesCopies = selector.Matches(labels.Set(pod.Labels))
	// An empty selector matches every pod and yet counts none (countPodsMatchSelector).
	spread.CountsCopies = spread.MatchesCopies && !selector.Empty()
	return spread, nil
}

func matchesAll(terms []fwk.AffinityTerm, pod *corev1.Pod) bool {
	for i := range terms {
		if !terms[i].Matches(pod, nil) {
			return false
		}
	}
	return len(terms) > 0
}
