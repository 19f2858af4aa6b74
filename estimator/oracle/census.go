package oracle

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	fwk "k8s.io/kube-scheduler/framework"
)

// census groups each node's pods into classes of pods that a selector cannot tell apart: same namespace, same labels, same required
// anti-affinity.
//
// Spread constraints and affinity terms look at nothing else of a pod that is there, save whether it is terminating. A member of 100,000
// pods has a few thousand classes (its workloads' revisions), so a selector never asked before is tried on those, not on every pod.
type census struct {
	seed maphash.Seed

	mu      sync.Mutex
	nodes   perNode[people]
	byHash  map[uint64][]int32
	classes []class
	// most is how many classes there may be before those of vanished pods are dropped.
	most int
}

type class struct {
	// pod is one of the class.
	pod *corev1.Pod
	// repels are its required anti-affinity terms, parsed.
	repels []fwk.AffinityTerm
}

// people are the pods of one node.
type people struct {
	groups []group
	// repelling are those of the groups whose pods have required anti-affinity.
	repelling []group
}

type group struct {
	class int32
	// pods of the class, and those of them that are not terminating.
	pods, live int32
}

// count is a census at one moment: people of every node, and the classes they refer to.
type count struct {
	people  []people
	classes []class
}

// spareClasses are allowed beyond twice what the last cleaning left.
const spareClasses = 4096

func newCensus() *census {
	return &census{seed: maphash.MakeSeed(), byHash: map[uint64][]int32{}, most: spareClasses}
}

// take counts the nodes that changed since it was last called.
func (c *census) take(nodes []fwk.NodeInfo) count {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.refresh(nodes)
	if len(c.classes) > c.most {
		// Classes of pods that are gone: begin anew. Counts handed out keep the old classes.
		c.byHash, c.classes, c.nodes = map[uint64][]int32{}, nil, perNode[people]{}
		found = c.refresh(nodes)
		c.most = 2*len(c.classes) + spareClasses
	}
	return count{people: found, classes: c.classes}
}

func (c *census) refresh(nodes []fwk.NodeInfo) []people {
	// Hashing is most of the work and runs on all processors; classes are found by one at a time.
	var finding sync.Mutex
	found, _ := c.nodes.refresh(nodes, func(_, i int) people {
		pods := nodes[i].GetPods()
		hashes := make([]uint64, len(pods))
		for j, pod := range pods {
			hashes[j] = c.hash(pod.GetPod())
		}
		finding.Lock()
		defer finding.Unlock()
		var p people
		for j, pod := range pods {
			p.add(c.classOf(hashes[j], pod), pod)
		}
		return p
	})
	return found
}

func (p *people) add(class int32, pod fwk.PodInfo) {
	live := int32(1)
	if pod.GetPod().DeletionTimestamp != nil {
		live = 0
	}
	p.groups = include(p.groups, class, live)
	if len(pod.GetRequiredAntiAffinityTerms()) > 0 {
		p.repelling = include(p.repelling, class, live)
	}
}

// include looks from the end: a node's pods of one class often lie together, and a node has few.
func include(groups []group, class, live int32) []group {
	for i := len(groups) - 1; i >= 0; i-- {
		if groups[i].class == class {
			groups[i].pods++
			groups[i].live += live
			return groups
		}
	}
	return append(groups, group{class, 1, live})
}

// hash of namespace and labels, whatever the order of the labels.
func (c *census) hash(pod *corev1.Pod) uint64 {
	hash := maphash.String(c.seed, pod.Namespace)
	for key, value := range pod.Labels {
		hash += maphash.String(c.seed, key) * (maphash.String(c.seed, value) | 1)
	}
	return hash
}

func (c *census) classOf(hash uint64, info fwk.PodInfo) int32 {
	pod := info.GetPod()
	for _, candidate := range c.byHash[hash] {
		known := c.classes[candidate].pod
		if known.Namespace == pod.Namespace && maps.Equal(known.Labels, pod.Labels) &&
			equality.Semantic.DeepEqual(antiAffinityOf(known), antiAffinityOf(pod)) {
			return candidate
		}
	}
	number := int32(len(c.classes))
	c.classes = append(c.classes, class{pod: pod, repels: info.GetRequiredAntiAffinityTerms()})
	c.byHash[hash] = append(c.byHash[hash], number)
	return number
}

func antiAffinityOf(pod *corev1.Pod) []corev1.PodAffinityTerm {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.PodAntiAffinity == nil {
		return nil
	}
	return pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
}

// verdicts asks one question of each class at most once, for each worker.
type verdicts struct {
	classes []class
	ask     func(*class) int64
	known   [][]int64
}

// notAsked is no verdict: those are counts and sets of bits below the sign.
const notAsked = int64(-1)

func (c count) verdicts(ask func(*class) int64) *verdicts {
	return &verdicts{classes: c.classes, ask: ask, known: make([][]int64, workers())}
}

func (v *verdicts) of(worker int, class int32) int64 {
	if v.known[worker] == nil {
		v.known[worker] = slices.Repeat([]int64{notAsked}, len(v.classes))
	}
	verdict := &v.known[worker][class]
	if *verdict == notAsked {
		*verdict = v.ask(&v.classes[class])
	}
	return *verdict
}
