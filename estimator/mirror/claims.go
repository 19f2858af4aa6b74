package mirror

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// claims is the source of the member's PersistentVolumeClaims, to which claims can be added that the member does not have yet: a
// StatefulSet's next pods come with claims of their own, and a scheduler refuses a pod whose claim does not exist. They reach the
// scheduler's plugins the way real ones do, as events of the watch, and leave the same way.
type claims struct {
	client kubernetes.Interface

	mu      sync.Mutex
	version string
	added   map[types.NamespacedName]*corev1.PersistentVolumeClaim
	streams map[*stream]struct{}
}

func newClaims(client kubernetes.Interface) *claims {
	return &claims{
		client: client, added: map[types.NamespacedName]*corev1.PersistentVolumeClaim{}, streams: map[*stream]struct{}{}, version: "1",
	}
}

// informer takes the place of the factory's own informer for claims.
func (c *claims) informer() cache.SharedIndexInformer {
	source := &cache.ListWatch{ListWithContextFunc: c.list, WatchFuncWithContext: c.watch}
	return cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(source, c), &corev1.PersistentVolumeClaim{}, 0,
		cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
}

// IsWatchListSemanticsUnSupported has the reflector list (client-go asks its source for this method): what a watch streams at its start is
// the member's own claims alone, and those added here would be missing after each new connection.
func (c *claims) IsWatchListSemanticsUnSupported() bool { return true }

// Add makes claims appear. Remove makes them disappear.
func (c *claims) Add(list ...*corev1.PersistentVolumeClaim) { c.send(watch.Added, list) }

// Remove takes back what Add added.
func (c *claims) Remove(list ...*corev1.PersistentVolumeClaim) { c.send(watch.Deleted, list) }

func (c *claims) send(kind watch.EventType, list []*corev1.PersistentVolumeClaim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, claim := range list {
		key := types.NamespacedName{Namespace: claim.Namespace, Name: claim.Name}
		claim = claim.DeepCopy()
		claim.ResourceVersion = c.version
		if kind == watch.Deleted {
			delete(c.added, key)
		} else {
			c.added[key] = claim
		}
		for s := range c.streams {
			s.put(watch.Event{Type: kind, Object: claim})
		}
	}
}

func (c *claims) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	list, err := c.client.CoreV1().PersistentVolumeClaims(metav1.NamespaceAll).List(ctx, options)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if list.ResourceVersion != "" {
		c.version = list.ResourceVersion
	}
	if list.Continue == "" {
		for _, claim := range c.added {
			list.Items = append(list.Items, *claim)
		}
	}
	return list, nil
}

func (c *claims) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	real, err := c.client.CoreV1().PersistentVolumeClaims(metav1.NamespaceAll).Watch(ctx, options)
	if err != nil {
		return nil, err
	}
	s := &stream{real: real, out: make(chan watch.Event), extra: make(chan watch.Event, 4096), done: make(chan struct{})}
	c.mu.Lock()
	c.streams[s] = struct{}{}
	c.mu.Unlock()
	go func() {
		s.run(c.note)
		c.mu.Lock()
		delete(c.streams, s)
		c.mu.Unlock()
	}()
	return s, nil
}

// note remembers the newest version seen, so that a claim of ours never turns the informer's clock back.
func (c *claims) note(event watch.Event) {
	if object, ok := event.Object.(metav1.Object); ok && object.GetResourceVersion() != "" {
		c.mu.Lock()
		c.version = object.GetResourceVersion()
		c.mu.Unlock()
	}
}

// stream is a watch with events of ours put between the real ones.
type stream struct {
	real  watch.Interface
	out   chan watch.Event
	extra chan watch.Event
	done  chan struct{}
	once  sync.Once
}

func (s *stream) ResultChan() <-chan watch.Event { return s.out }

func (s *stream) Stop() {
	s.once.Do(func() { close(s.done) })
	s.real.Stop()
}

// put never blocks: a stream that falls 4096 behind loses the event, and the copy that needed the claim is refused.
func (s *stream) put(event watch.Event) {
	select {
	case s.extra <- event:
	default:
	}
}

func (s *stream) run(note func(watch.Event)) {
	defer close(s.out)
	for {
		var event watch.Event
		var ok bool
		select {
		case event, ok = <-s.real.ResultChan():
			if !ok {
				return
			}
			note(event)
		case event = <-s.extra:
		case <-s.done:
			return
		}
		select {
		case s.out <- event:
		case <-s.done:
			return
		}
	}
}
