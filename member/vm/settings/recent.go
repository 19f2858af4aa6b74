package settings

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// recently is how long a Secret that was read counts, and missing how long one that was not there.
	recently = 30 * time.Second
	missing  = 5 * time.Second
)

// Recent reads Secrets by their names, each once in 30 s for all who ask: ten thousand Servers that look at their machines each half minute
// name a handful of them. What nobody asks for any more is not kept.
type Recent struct {
	live  client.Reader
	clock clock.PassiveClock

	mu    sync.Mutex
	kept  map[types.NamespacedName]kept
	swept time.Time
}

// kept is what a read brought; err is that there is no such Secret.
type kept struct {
	data  map[string][]byte
	err   error
	until time.Time
}

// NewRecent reads from live.
func NewRecent(live client.Reader, now clock.PassiveClock) *Recent {
	return &Recent{live: live, clock: now, kept: map[types.NamespacedName]kept{}}
}

// Read a Secret's data, which is everybody's: it is not to be changed.
func (r *Recent) Read(ctx context.Context, namespace, name string) (map[string][]byte, error) {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	now := r.clock.Now()
	r.mu.Lock()
	was, ok := r.kept[key]
	r.mu.Unlock()
	if ok && now.Before(was.until) && was.until.Sub(now) <= recently { // a clock that was ahead is not waited for
		return was.data, was.err
	}
	return r.Fresh(ctx, namespace, name)
}

// Fresh is read from the API server now. What was read before counts for others until then: each of many Servers reads its Secret anew
// before its machine is made.
func (r *Recent) Fresh(ctx context.Context, namespace, name string) (map[string][]byte, error) {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	now := r.clock.Now()
	secret := &corev1.Secret{}
	err := r.live.Get(ctx, key, secret)
	found := kept{data: secret.Data, until: now.Add(recently)}
	if err != nil {
		found = kept{err: fmt.Errorf("reading Secret %s: %w", name, err), until: now.Add(missing)}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || apierrors.IsNotFound(err) {
		r.kept[key] = found
	} else {
		delete(r.kept, key)
	}
	if since := now.Sub(r.swept); since >= recently || since < 0 {
		r.swept = now
		maps.DeleteFunc(r.kept, func(_ types.NamespacedName, k kept) bool { return !now.Before(k.until) })
	}
	return found.data, found.err
}

// Forget a Secret: the next who asks reads it anew.
func (r *Recent) Forget(namespace, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.kept, types.NamespacedName{Namespace: namespace, Name: name})
}
