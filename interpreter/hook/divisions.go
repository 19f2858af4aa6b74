package hook

import (
	"context"
	"sync"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// keptFor bounds how long one reading serves a sync. A sync of many members takes longer and reads again.
	keptFor = 2 * time.Second
	// keptBindings bounds how many readings are kept: as many as Karmada has workers would do.
	keptBindings = 1024
	// peekTimeout bounds the wait for the watch of bindings to begin; without it every question reads.
	peekTimeout = 200 * time.Millisecond
)

// Bindings reads divisions from ResourceBindings, once for a sync of Karmada and not once for each of its members.
//
// The division in a manifest must not be older than the replicas Karmada asks with, and equal sums do not tell: 4+3+3 that becomes
// 3+4+3 asks for the same numbers. So the first question of a sync reads the binding live, which is at least as new as what Karmada
// goes by, and the others are answered from that reading. They are known by what a sync is: one question for each cluster of the
// binding, with the same template. A reading that has answered for each, or that the watch of bindings shows to be old, is not
// used again.
type Bindings struct {
	// Reader must not be a cache.
	Reader client.Reader
	// Seen is a cache of the bindings' metadata.
	Seen  client.Reader
	Clock clock.PassiveClock

	mu   sync.Mutex
	kept *lru.Cache
	// placed are placements, by binding.
	placed *lru.Cache
}

// placement is what one generation of a binding says.
type placement struct {
	version
	duplicated bool
}

// NewBindings reads by reader and learns of newer bindings by seen.
func NewBindings(reader, seen client.Reader, c clock.PassiveClock) *Bindings {
	return &Bindings{Reader: reader, Seen: seen, Clock: c, kept: lru.New(keptBindings), placed: lru.New(keptBindings)}
}

// reading is one live read, and the questions of its sync that are still to come.
type reading struct {
	bound
	// template's generation.
	template int64
	at       time.Time
	// left is how many clusters with so many replicas have not been asked for.
	left map[int32]int
}

// +kubebuilder:rbac:groups=work.karmada.io,resources=resourcebindings,verbs=get;list;watch

// Division implements Divider.
func (b *Bindings) Division(ctx context.Context, object *unstructured.Unstructured, replicas int32) (Division, error) {
	key := bindingKey(object)
	template := object.GetGeneration()
	if r, ok := b.take(key, template, replicas); ok && !b.outdated(ctx, key, r.version) {
		return r.Division, nil
	}
	at := b.Clock.Now()
	now, err := read(ctx, b.Reader, object)
	if err != nil {
		return Division{}, err
	}
	b.keep(key, &reading{bound: now, template: template, at: at, left: map[int32]int{}}, replicas)
	return now.Division, nil
}

// Duplicated implements Divider. A status comes every few seconds while a workload moves, and a placement seldom changes: one reading
// serves until the watch of bindings shows a newer generation.
func (b *Bindings) Duplicated(ctx context.Context, object *unstructured.Unstructured) (bool, error) {
	key := bindingKey(object)
	if known, ok := b.placed.Get(key); ok {
		if p, ok := known.(placement); ok && !b.outdated(ctx, key, p.version) {
			return p.duplicated, nil
		}
	}
	binding, err := find(ctx, b.Reader, object)
	if err != nil {
		return false, err
	}
	now := placement{version: versionOf(binding), duplicated: duplicated(binding)}
	b.placed.Add(key, now)
	return now.duplicated, nil
}

// take is a reading that this question may belong to.
func (b *Bindings) take(key types.NamespacedName, template int64, replicas int32) (*reading, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, ok := b.kept.Get(key)
	if !ok {
		return nil, false
	}
	r, ok := found.(*reading)
	if !ok || r.template != template || r.left[replicas] == 0 || b.Clock.Since(r.at) > keptFor {
		b.kept.Remove(key)
		return nil, false
	}
	r.left[replicas]--
	return r, true
}

// keep keeps a reading for the sync whose first question it answered. One that the question does not fit is newer than the sync, and
// one whose sum is not its replicas is about to be scheduled anew.
func (b *Bindings) keep(key types.NamespacedName, r *reading, replicas int32) {
	open := int64(r.replicas)
	for _, c := range r.Clusters {
		r.left[c.Replicas]++
		open -= int64(c.Replicas)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.left[replicas] == 0 || open != 0 {
		b.kept.Remove(key)
		return
	}
	r.left[replicas]--
	b.kept.Add(key, r)
}

// outdated is true when the watch of bindings shows a newer one, or another, or cannot tell.
func (b *Bindings) outdated(ctx context.Context, key types.NamespacedName, known version) bool {
	ctx, cancel := context.WithTimeout(ctx, peekTimeout)
	defer cancel()
	var seen metav1.PartialObjectMetadata
	of := schema.GroupVersion(workv1alpha2.GroupVersion)
	seen.SetGroupVersionKind(of.WithKind(workv1alpha2.ResourceKindResourceBinding))
	return b.Seen.Get(ctx, key, &seen) != nil || seen.UID != known.uid || seen.Generation > known.generation
}
