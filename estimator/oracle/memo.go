package oracle

import (
	"slices"
	"sync"

	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/lru"
)

// memoTables bounds the memory: one table of a 5000-node member is 80 KB.
const memoTables = 256

// memo remembers one number per node and question, as long as the node does not change. What is remembered must depend on the NodeInfo and
// the key alone.
type memo struct {
	mu     sync.Mutex
	tables *lru.Cache
}

func newMemo(limit int) *memo { return &memo{tables: lru.New(limit)} }

// values returns one number per node; see perNode.refresh.
func (m *memo) values(key string, nodes []fwk.NodeInfo, compute func(worker, i int) int64) ([]int64, int) {
	return m.table(key).refresh(nodes, compute)
}

// table of a key; the one that was asked for longest ago makes room for a new one.
func (m *memo) table(key string) *perNode[int64] {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found, ok := m.tables.Get(key); ok {
		if table, ok := found.(*perNode[int64]); ok {
			return table
		}
	}
	table := &perNode[int64]{}
	m.tables.Add(key, table)
	return table
}

// perNode remembers one value per node as long as the node does not change.
//
// A node's generation is drawn from one counter of the process and grows with every change of the node or its pods, so equal generation
// means equal node.
type perNode[T any] struct {
	mu          sync.Mutex
	generations []int64
	values      []T
}

// refresh returns one value per node, in the order of nodes, computing those of changed nodes on all processors, and how many were
// computed. compute gets the number of its worker, to keep scratch space by, and the node's place in nodes.
func (p *perNode[T]) refresh(nodes []fwk.NodeInfo, compute func(worker, i int) T) ([]T, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.follow(nodes)
	inParallel(len(changed), func(worker, i int) {
		at := changed[i]
		p.values[at] = compute(worker, at)
		p.generations[at] = nodes[at].GetGeneration()
	})
	return slices.Clone(p.values), len(changed)
}

// follow brings the table into the order of nodes, keeping what still holds, and returns the places of the nodes that changed.
func (p *perNode[T]) follow(nodes []fwk.NodeInfo) []int {
	const few = 64
	if len(p.generations) == len(nodes) {
		if changed := p.changed(nodes); len(changed) <= few {
			return changed
		}
	}
	// Nodes have come or gone, and the others have moved: what is known of them is found by generation.
	known := make(map[int64]T, len(p.generations))
	for i, generation := range p.generations {
		known[generation] = p.values[i]
	}
	p.generations, p.values = make([]int64, len(nodes)), make([]T, len(nodes))
	for i, node := range nodes {
		if value, ok := known[node.GetGeneration()]; ok {
			p.generations[i], p.values[i] = node.GetGeneration(), value
		}
	}
	return p.changed(nodes)
}

func (p *perNode[T]) changed(nodes []fwk.NodeInfo) []int {
	var changed []int
	for i, node := range nodes {
		if p.generations[i] != node.GetGeneration() {
			changed = append(changed, i)
		}
	}
	return changed
}
