package inflight

import (
	"sync"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/types"
)

// Patience is how long promised replicas are waited for.
const Patience = 2 * time.Minute

// Promise is replicas of one workload, promised to one member.
type Promise struct {
	Workload workv1alpha2.ObjectReference
	Replicas int32
	// Requirements may be nil: a replica that takes no room.
	Requirements *workv1alpha2.ReplicaRequirements
}

// Ledger holds the promises. The zero value is not ready; use NewLedger.
type Ledger struct {
	mu       sync.Mutex
	bindings map[types.NamespacedName]*entry
	// young are, by member, the bindings with a promise that is not older than Patience: all that Ahead has to look at.
	young map[string]map[types.NamespacedName]struct{}
	// named are the bindings by the workload they place: a binding's own name has a kind in it.
	named map[types.NamespacedName]map[types.NamespacedName]struct{}
}

type entry struct {
	workload     workv1alpha2.ObjectReference
	requirements *workv1alpha2.ReplicaRequirements
	clusters     map[string]assignment
}

type assignment struct {
	replicas int32
	since    time.Time
}

// NewLedger makes an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{bindings: map[types.NamespacedName]*entry{}, young: map[string]map[types.NamespacedName]struct{}{},
		named: map[types.NamespacedName]map[types.NamespacedName]struct{}{}}
}

// Observe notes a binding as it is now. first says that it was there before we looked, as after a restart: its replicas are as old as its
// last scheduling.
func (l *Ledger) Observe(binding *workv1alpha2.ResourceBinding, now time.Time, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := types.NamespacedName{Namespace: binding.Namespace, Name: binding.Name}
	old := l.bindings[key]
	next := &entry{workload: binding.Spec.Resource, requirements: binding.Spec.ReplicaRequirements, clusters: map[string]assignment{}}
	for _, target := range binding.Spec.Clusters {
		given := assignment{replicas: target.Replicas}
		before := int32(0)
		if old != nil {
			given.since, before = old.clusters[target.Name].since, old.clusters[target.Name].replicas
		}
		if target.Replicas > before {
			given.since = now
			if first {
				given.since = scheduled(binding)
			}
			if now.Sub(given.since) < Patience {
				insert(l.young, target.Name, key)
			}
		}
		next.clusters[target.Name] = given
	}
	if old != nil && old.name() != next.name() {
		remove(l.named, old.name(), key)
	}
	insert(l.named, next.name(), key)
	l.bindings[key] = next
}

func (e *entry) name() types.NamespacedName {
	return types.NamespacedName{Namespace: e.workload.Namespace, Name: e.workload.Name}
}

// scheduled is when karmada-scheduler last decided; long ago if it never did.
func scheduled(binding *workv1alpha2.ResourceBinding) time.Time {
	if binding.Status.LastScheduledTime == nil {
		return time.Time{}
	}
	return binding.Status.LastScheduledTime.Time
}

// Forget drops a binding that is gone.
func (l *Ledger) Forget(namespace, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := types.NamespacedName{Namespace: namespace, Name: name}
	if gone := l.bindings[key]; gone != nil {
		remove(l.named, gone.name(), key)
	}
	delete(l.bindings, key)
}

// Knows says whether a binding of a workload of that name assigns replicas to the member, whatever became of them.
func (l *Ledger) Knows(cluster, namespace, workload string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.named[types.NamespacedName{Namespace: namespace, Name: workload}] {
		if _, assigned := l.bindings[key].clusters[cluster]; assigned {
			return true
		}
	}
	return false
}

// Workloads are what bindings place of that kind and name, each as its binding names it.
func (l *Ledger) Workloads(kind, namespace, workload string) []workv1alpha2.ObjectReference {
	l.mu.Lock()
	defer l.mu.Unlock()
	var placed []workv1alpha2.ObjectReference
	for key := range l.named[types.NamespacedName{Namespace: namespace, Name: workload}] {
		if e := l.bindings[key]; e.workload.Kind == kind {
			placed = append(placed, e.workload)
		}
	}
	return placed
}

// Ahead returns the promises to a member that are still young, with all replicas assigned: the caller takes off those whose pods it sees.
func (l *Ledger) Ahead(cluster string, now time.Time) []Promise {
	l.mu.Lock()
	defer l.mu.Unlock()
	var promises []Promise
	for key := range l.young[cluster] {
		e := l.bindings[key]
		if e != nil {
			if given, assigned := e.clusters[cluster]; assigned && now.Sub(given.since) < Patience {
				promises = append(promises, Promise{Workload: e.workload, Replicas: given.replicas, Requirements: e.requirements})
				continue
			}
		}
		remove(l.young, cluster, key)
	}
	return promises
}

func insert[K comparable](index map[K]map[types.NamespacedName]struct{}, at K, key types.NamespacedName) {
	if index[at] == nil {
		index[at] = map[types.NamespacedName]struct{}{}
	}
	index[at][key] = struct{}{}
}

func remove[K comparable](index map[K]map[types.NamespacedName]struct{}, at K, key types.NamespacedName) {
	delete(index[at], key)
	if len(index[at]) == 0 {
		delete(index, at)
	}
}
