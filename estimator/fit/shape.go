package fit

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
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

// OrderedBecause is one reason why only placing copies one by one tells how many fit.
type OrderedBecause struct {
	// Why is the word of the docs and of the log.
	Why     string
	applies func(*facts) bool
}

// facts are what a pod says of itself that matters here.
type facts struct {
	pod          *corev1.Pod
	hardDefaults bool
	// hard are the spread constraints that must hold, the first of them parsed.
	hard      []corev1.TopologySpreadConstraint
	spread    *Spreading
	unparsed  bool
	affinity  []fwk.AffinityTerm
	separates sets.Set[string] // topology keys over which the copies repel each other
}

// Reasons, in the order of "How it is counted" in docs/concepts/estimator.md: the first that applies is why.
var Reasons = []OrderedBecause{
	{"resource claims", func(f *facts) bool { return len(f.pod.Spec.ResourceClaims) > 0 }},
	{"volumes", func(f *facts) bool { return mounts(f.pod) }},
	// They depend on Services and owners, which only the scheduler looks up.
	{"hard default constraints", func(f *facts) bool { return f.hardDefaults && len(f.pod.Spec.TopologySpreadConstraints) == 0 }},
	{"several spread constraints", func(f *facts) bool { return len(f.hard) > 1 }},
	// The first copy decides where the rest may go. Affinity to others only is a fixed set of nodes.
	{"affinity to its own kind", func(f *facts) bool { return matchesAll(f.affinity, f.pod) }},
	{"separate over several keys", func(f *facts) bool { return len(f.separates) > 1 }},
	{"spread and separate", func(f *facts) bool { return len(f.hard) > 0 && len(f.separates) > 0 }},
	{"a selector that does not parse", func(f *facts) bool { return f.unparsed }},
}

// Classify says how the pod's copies can be counted. hardDefaults tells that the profile gives pods without constraints of their own hard
// ones.
func Classify(pod *corev1.Pod, info fwk.PodInfo, hardDefaults bool) Rules {
	rules := Rules{Affinity: info.GetRequiredAffinityTerms(), AntiAffinity: info.GetRequiredAntiAffinityTerms()}
	f := factsOf(pod, rules, hardDefaults)
	for _, reason := range Reasons {
		if reason.applies(f) {
			rules.Shape, rules.Why = Ordered, reason.Why
			return rules
		}
	}
	switch {
	case len(f.separates) > 0:
		rules.Shape, rules.SeparateKey = SeparateOnce, f.separates.UnsortedList()[0]
	case f.spread != nil:
		rules.Shape, rules.Spread = SpreadOnce, f.spread
	default:
		rules.Shape = NodeLocal
	}
	return rules
}

func factsOf(pod *corev1.Pod, rules Rules, hardDefaults bool) *facts {
	f := &facts{pod: pod, hardDefaults: hardDefaults, hard: hardConstraints(pod), affinity: rules.Affinity, separates: sets.New[string]()}
	for i := range rules.AntiAffinity {
		if term := &rules.AntiAffinity[i]; term.Matches(pod, nil) {
			f.separates.Insert(term.TopologyKey)
		}
	}
	if len(f.hard) > 0 {
		var err error
		f.spread, err = parseSpread(pod, f.hard[0])
		f.unparsed = err != nil
	}
	return f
}

// mounts: volumes and claims are bound by Reserve and looked up in the cluster. The sources listed are those for which every in-tree
// volume plugin answers Skip (VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone), whatever the node.
func mounts(pod *corev1.Pod) bool {
	for i := range pod.Spec.Volumes {
		source := &pod.Spec.Volumes[i].VolumeSource
		inert := source.EmptyDir != nil || source.ConfigMap != nil || source.Secret != nil || source.DownwardAPI != nil ||
			source.Projected != nil || source.HostPath != nil || source.Image != nil
		if !inert {
			return true
		}
	}
	return false
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
