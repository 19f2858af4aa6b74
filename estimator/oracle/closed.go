package oracle

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/features"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/argosy-dev/argosy/estimator/fit"
)

// closedForm counts by a closed form. It reads a picture; the caller sees to it that nobody writes that meanwhile.
type closedForm struct {
	o     *Oracle
	v     *view
	pod   *countedPod
	rules fit.Rules
	// nominated are the nodes on which pods of the same or a higher priority hold a place that they do not occupy yet.
	nominated map[string][]fwk.PodInfo

	nodes    []fwk.NodeInfo
	census   count
	caps     []int64
	barred   []string // the plugin that bars a node, "" if none
	computed int
	// domain of each node and what the domain takes, for an explanation of a spread constraint.
	domain []int
	shares []int64
	// domains of a spread constraint; places of the domains that take one copy each, and outside of them.
	domains []fit.Domain
	places  map[string]int64
	outside int64
}

// count returns the total and whether the form applies; if not, the oracle has to place.
func (c *closedForm) count(ctx context.Context) (int64, bool, error) {
	if err := c.local(ctx); err != nil {
		return 0, false, err
	}
	c.census = c.o.census.take(c.nodes)
	if c.v.hasAffinity {
		c.bar()
	}
	switch c.rules.Shape {
	case fit.NodeLocal:
		total := int64(0)
		for i := range c.caps {
			total += c.room(i)
		}
		return total, true, nil
	case fit.SeparateOnce:
		return c.separate(), true, nil
	case fit.SpreadOnce:
		total, ok := c.spread()
		return total, ok, nil
	}
	return 0, false, nil
}

// room is what a node takes once the rules against other pods are heeded.
func (c *closedForm) room(i int) int64 {
	if c.barred[i] != "" {
		return 0
	}
	return c.caps[i]
}

func (o *Oracle) newClosedForm(v *view, pod *countedPod, from *picture) *closedForm {
	c := &closedForm{o: o, v: v, pod: pod, nodes: make([]fwk.NodeInfo, len(from.nodes)), barred: make([]string, len(from.nodes))}
	for i := range from.nodes {
		c.nodes[i] = from.nodes[i].node
	}
	return c
}

// local finds, for every node, how many copies its node-local Filter plugins let in.
//
// The plugins left out for this pod answer Skip in PreFilter (see inert) or are dealt with by bar, separate and spread. Copies change
// nothing that PreFilter of the plugins kept has computed: it reads the incoming pod only.
func (c *closedForm) local(ctx context.Context) error {
	state := framework.NewCycleState()
	result, status, _ := c.v.local.RunPreFilterPlugins(ctx, state, c.pod.pod)
	if !status.IsSuccess() {
		if !status.IsRejected() {
			return fmt.Errorf("running PreFilter: %w", status.AsError())
		}
		c.caps = make([]int64, len(c.nodes))
		c.barAll(status.Plugin())
		return nil
	}
	key, err := c.v.localKey(c.pod)
	if err != nil {
		return err
	}
	demand := fit.NewDemand(&c.pod.resource, c.v.ignored)
	stacks := make([]stack, workers())
	faults := make([]error, workers())
	capOf := func(worker int, node fwk.NodeInfo) int64 {
		bound := fit.Bound(&demand, node.GetAllocatable(), node.GetRequested(), len(node.GetPods()))
		return fit.LocalCap(bound, func(k int64) bool {
			status := c.v.local.RunFilterPlugins(ctx, state, c.pod.pod, stacks[worker].load(node, c.pod, k-1))
			if !status.IsSuccess() && !status.IsRejected() {
				faults[worker] = status.AsError()
			}
			return status.IsSuccess()
		})
	}
	c.caps, c.computed = c.o.memo.values(key, c.nodes, func(worker, i int) int64 { return capOf(worker, c.nodes[i]) })
	for i, node := range c.nodes {
		name := node.Node().Name
		// With node-local plugins the stricter of the scheduler's two passes is the one with the nominated pods on the node.
		if pods := c.nominated[name]; len(pods) > 0 {
			loaded := node.Snapshot()
			for _, pod := range pods {
				loaded.AddPodInfo(pod)
			}
			c.caps[i] = capOf(0, loaded)
		}
		if result != nil && !result.AllNodes() && !result.NodeNames.Has(name) {
			c.caps[i] = 0
		}
	}
	for _, fault := range faults {
		if fault != nil {
			return fmt.Errorf("running Filter: %w", fault)
		}
	}
	return nil
}

func (c *closedForm) barAll(plugin string) {
	for i := range c.barred {
		c.barred[i] = plugin
	}
}

type pair struct{ key, value string }

// bar applies the rules of InterPodAffinity that do not depend on the copies: anti-affinity of pods that are there, the pod's own
// anti-affinity to pods that are there, and its affinity to pods other than its own kind. They name topology pairs; copies add no pair to
// any of them, save over SeparateKey.
func (c *closedForm) bar() {
	barred := c.repelledBy()
	maps.Copy(barred, c.matching("anti", c.rules.AntiAffinity, false))
	wanted := c.matching("affinity", c.rules.Affinity, true)
	if len(barred) == 0 && len(c.rules.Affinity) == 0 {
		return
	}
	for i, node := range c.nodes {
		labels := node.Node().Labels
		if len(barred) > 0 {
			for key, value := range labels {
				if barred[pair{key, value}] {
					c.barred[i] = interPodAffinity
				}
			}
		}
		for _, term := range c.rules.Affinity {
			value, ok := labels[term.TopologyKey]
			if !ok || !wanted[pair{term.TopologyKey, value}] {
				c.barred[i] = interPodAffinity
			}
		}
	}
}

const interPodAffinity = "InterPodAffinity"

// repelledBy follows interpodaffinity.getExistingAntiAffinityCounts: the topology pairs over which pods that are there repel this one.
func (c *closedForm) repelledBy() map[pair]bool {
	var namespaceLabels labels.Set
	if namespace, err := c.o.namespaces.Get(c.pod.pod.Namespace); err == nil {
		namespaceLabels = namespace.Labels
	}
	repelled := c.census.verdicts(func(class *class) int64 {
		return matches(class.repels, c.pod.pod, namespaceLabels)
	})
	pairs := map[pair]bool{}
	for i, node := range c.nodes {
		for _, group := range c.census.people[i].repelling {
			addPairs(pairs, node.Node(), c.census.classes[group.class].repels, repelled.of(0, group.class))
		}
	}
	return pairs
}

// manyTerms is where the bits of terms end; no pod has so many, and the last bit stands for all the rest.
const manyTerms = 60

// matches is one bit for each of the terms that match the pod.
func matches(terms []fwk.AffinityTerm, pod *corev1.Pod, namespace labels.Set) int64 {
	matched := int64(0)
	for i := range terms {
		if terms[i].Matches(pod, namespace) {
			matched |= 1 << min(i, manyTerms)
		}
	}
	return matched
}

func addPairs(pairs map[pair]bool, node *corev1.Node, terms []fwk.AffinityTerm, bits int64) {
	if bits == 0 {
		return
	}
	for i := range terms {
		if bits&(1<<min(i, manyTerms)) == 0 {
			continue
		}
		if value, ok := node.Labels[terms[i].TopologyKey]; ok {
			pairs[pair{terms[i].TopologyKey, value}] = true
		}
	}
}

// matching returns the topology pairs in which pods match the terms: each term for itself, or only pods that match all. Which terms match
// on a node depends on that node's pods alone, so it is remembered as one bit a term.
func (c *closedForm) matching(kind string, terms []fwk.AffinityTerm, all bool) map[pair]bool {
	if len(terms) == 0 {
		return nil
	}
	verdicts := c.census.verdicts(func(class *class) int64 {
		// The namespaces that the terms select are in them by name (mergeNamespaces), as in the scheduler; hence no labels here.
		matched := matches(terms, class.pod, nil)
		if all && matched != 1<<len(terms)-1 {
			return 0
		}
		return matched
	})
	bits, _ := c.o.memo.values(termsKey(kind, terms), c.nodes, func(worker, i int) int64 {
		found := int64(0)
		for _, group := range c.census.people[i].groups {
			found |= verdicts.of(worker, group.class)
		}
		return found
	})
	pairs := map[pair]bool{}
	for i, node := range c.nodes {
		addPairs(pairs, node.Node(), terms, bits[i])
	}
	return pairs
}

func (c *closedForm) separate() int64 {
	hasRoom := map[string]bool{}
	c.places, c.outside = map[string]int64{}, 0
	for i, node := range c.nodes {
		value, ok := node.Node().Labels[c.rules.SeparateKey]
		if !ok {
			c.outside += c.room(i)
		} else if c.room(i) > 0 {
			hasRoom[value] = true
			c.places[value] += c.room(i)
		}
	}
	return fit.Separate(hasRoom, c.outside)
}

// spread gathers the domains of the one hard constraint, as podtopologyspread.calPreFilterState does. It declines if a node takes copies
// that the constraint would not count, which the default plugins rule out.
func (c *closedForm) spread() (int64, bool) {
	rule := c.rules.Spread
	namespace := c.pod.pod.Namespace
	// As podtopologyspread.countPodsMatchSelector: terminating pods do not count, nor does an empty selector.
	counted := c.census.verdicts(func(class *class) int64 {
		if class.pod.Namespace == namespace && !rule.Selector.Empty() && rule.Selector.Matches(labels.Set(class.pod.Labels)) {
			return 1
		}
		return 0
	})
	counts, _ := c.o.memo.values("spread|"+namespace+"|"+rule.Selector.String(), c.nodes, func(worker, i int) int64 {
		count := int64(0)
		for _, group := range c.census.people[i].groups {
			count += counted.of(worker, group.class) * int64(group.live)
		}
		return count
	})
	affinity := nodeaffinity.GetRequiredNodeAffinity(c.pod.pod)
	chosen := c.pod.pod.Spec.NodeSelector != nil || c.pod.pod.Spec.Affinity != nil
	index := map[string]int{}
	c.domain = make([]int, len(c.nodes))
	var domains []fit.Domain
	for i, node := range c.nodes {
		c.domain[i] = -1
		value, ok := node.Node().Labels[rule.Key]
		if !ok {
			continue
		}
		if !c.eligible(node.Node(), rule, affinity, chosen) {
			if c.caps[i] > 0 {
				return 0, false
			}
			continue
		}
		at, seen := index[value]
		if !seen {
			at = len(domains)
			index[value], domains = at, append(domains, fit.Domain{})
		}
		c.domain[i] = at
		domains[at].Existing += counts[i]
		domains[at].Capacity += c.room(i)
	}
	c.domains = domains
	if rule.CountsCopies {
		c.shares = fit.SpreadShares(domains, rule.Skew, rule.MinDomains)
	} else {
		self := int64(0)
		if rule.MatchesCopies {
			self = 1
		}
		c.shares = fit.SpreadFixedShares(domains, rule.Skew, rule.MinDomains, self)
	}
	total := int64(0)
	for _, share := range c.shares {
		total += share
	}
	return total, true
}

// eligible follows topologySpreadConstraint.matchNodeInclusionPolicies.
func (c *closedForm) eligible(node *corev1.Node, rule *fit.Spreading, affinity nodeaffinity.RequiredNodeAffinity, chosen bool) bool {
	if rule.HonorAffinity && chosen {
		if match, _ := affinity.Match(node); !match {
			return false
		}
	}
	if rule.HonorTaints && len(node.Spec.Taints) > 0 {
		_, untolerated := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, c.pod.pod.Spec.Tolerations,
			func(taint *corev1.Taint) bool {
				return taint.Effect == corev1.TaintEffectNoSchedule || taint.Effect == corev1.TaintEffectNoExecute
			}, utilfeature.DefaultFeatureGate.Enabled(features.TaintTolerationComparisonOperators)) // as the scheduler's own plugins ask

		return !untolerated
	}
	return true
}
