package oracle

import (
	"runtime"
	"sync"
	"sync/atomic"

	fwk "k8s.io/kube-scheduler/framework"
)

// memoTables bounds the memory: one table of a 5000-node member is 80 KB.
const memoTables = 256

// memo remembers one number per node and question, as long as the node does not change.
//
// A node's generation is drawn from one counter of the process and grows with every change of the node or its pods, so equal generation means equal node. What
// is remembered must depend on the NodeInfo and the key alone.
type memo struct {
	mu     sync.Mutex
	limit  int
	used   int64
	tables map[string]*table
}

type table struct {
	mu          sync.Mutex
	lastUsed    int64
	generations []int64
	values      []int64
}

func newMemo(limit int) *memo { return &memo{limit: limit, tables: map[string]*table{}} }

// values returns one number per node, in the order of nodes, computing those of changed nodes on all processors, and how many were computed.
// compute gets the number of its worker, to keep scratch space by.
func (m *memo) values(key string, nodes []fwk.NodeInfo, compute func(worker int, node fwk.NodeInfo) int64) ([]int64, int) {
	t := m.table(key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.generations) != len(nodes) {
		t.generations, t.values = make([]int64, len(nodes)), make([]int64, len(nodes))
	}
	var changed []int
	for i, node := range nodes {
		if t.generations[i] != node.GetGeneration() {
			changed = append(changed, i)
		}
	}
	inParallel(len(changed), func(worker, i int) {
		index := changed[i]
		t.values[index] = compute(worker, nodes[index])
		t.generations[index] = nodes[index].GetGeneration()
	})
	return append([]int64(nil), t.values...), len(changed)
}

func (m *memo) table(key string) *table {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used++
	t, ok := m.tables[key]
	if !ok {
		if len(m.tables) >= m.limit {
			m.dropOldest()
		}
		t = &table{}
		m.tables[key] = t
	}
	t.lastUsed = m.used
	return t
}

func (m *memo) dropOldest() {
	oldest := ""
	for key, t := range m.tables {
		if oldest == "" || t.lastUsed < m.tables[oldest].lastUsed {
			oldest = key
		}
	}
	delete(m.tables, oldest)
}

// workers is how many run at once in inParallel.
func workers() int { return runtime.GOMAXPROCS(0) }

// inParallel runs work for 0..n-1. Work is handed out in runs of 64, so that handing out costs nothing beside it.
func inParallel(n int, work func(worker, i int)) {
	const run = 64
	count := min(workers(), (n+run-1)/run)
	if count <= 1 {
		for i := range n {
			work(0, i)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for worker := range count {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				start := int(next.Add(run)) - run
				if start >= n {
					return
				}
				for i := start; i < min(start+run, n); i++ {
					work(worker, i)
				}
			}
		}()
	}
	group.Wait()
}
