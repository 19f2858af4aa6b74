package mirror

import (
	"context"
	"maps"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// claims is the source of the member's PersistentVolumeClaims, to which claims can be added that the member does not have yet: a
// StatefulSet's next pods come with claims of their own, and a scheduler refuses a pod whose claim does not exist. They reach the
// scheduler's plugins the way real ones do, as events of the watch, and leave the same way. A claim of the member's own always wins over
// one that was added under its name.
type claims struct {
	client kubernetes.Interface

	mu      sync.Mutex
	version string
	real    sets.Set[types.NamespacedName]                         // the member's own, as last listed or watched
	added   map[types.NamespacedName]*corev1.PersistentVolumeClaim // what the informer shall hold beside them
	told    map[types.NamespacedName]*corev1.PersistentVolumeClaim // what of it the informer was told: a watch that ends loses the rest
	streams map[*stream]struct{}
}

func newClaims(client kubernetes.Interface) *claims {
	return &claims{
		client: client, version: "1", real: sets.New[types.NamespacedName](), streams: map[*stream]struct{}{},
		added: map[types.NamespacedName]*corev1.PersistentVolumeClaim{}, told: map[types.NamespacedName]*corev1.PersistentVolumeClaim{},
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

// Add makes claims appear, those left out that the member has.
func (c *claims) Add(list ...*corev1.PersistentVolumeClaim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, claim := range list {
		key := keyOf(claim)
		if c.real.Has(key) {
			continue
		}
		claim = claim.DeepCopy()
		claim.ResourceVersion = c.version
		c.added[key] = claim
		c.put(watch.Event{Type: watch.Added, Object: claim})
	}
}

// Remove takes back what Add added, and nothing of the member's own.
func (c *claims) Remove(list ...*corev1.PersistentVolumeClaim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, claim := range list {
		if added := c.added[keyOf(claim)]; added != nil {
			delete(c.added, keyOf(claim))
			c.put(watch.Event{Type: watch.Deleted, Object: added})
		}
	}
}

func (c *claims) put(event watch.Event) {
	for s := range c.streams {
		s.put(event)
	}
}

func keyOf(claim metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: claim.GetNamespace(), Name: claim.GetName()}
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
	if options.Continue == "" {
		c.real.Clear()
	}
	for i := range list.Items {
		c.arrived(keyOf(&list.Items[i]))
	}
	if list.Continue == "" {
		for _, claim := range c.added {
			list.Items = append(list.Items, *claim)
		}
		c.told = maps.Clone(c.added)
	}
	return list, nil
}

// arrived: the member has a claim of this name by now.
func (c *claims) arrived(key types.NamespacedName) {
	c.real.Insert(key)
	delete(c.added, key)
	delete(c.told, key)
}

// watch begins with what the informer was not told since: claims come and go also between a list and its watch, and between two watches.
func (c *claims) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	real, err := c.client.CoreV1().PersistentVolumeClaims(metav1.NamespaceAll).Watch(ctx, options)
	if err != nil {
		return nil, err
	}
	s := &stream{real: real, out: make(chan watch.Event), extra: make(chan watch.Event, 4096), done: make(chan struct{})}
	c.mu.Lock()
	for key, claim := range c.told {
		if c.added[key] == nil {
			s.put(watch.Event{Type: watch.Deleted, Object: claim})
		}
	}
	for key, claim := range c.added {
		if c.told[key] != claim {
			s.put(watch.Event{Type: watch.Added, Object: claim})
		}
	}
	c.streams[s] = struct{}{}
	c.mu.Unlock()
	go func() {
		s.run(c)
		c.mu.Lock()
		delete(c.streams, s)
		c.mu.Unlock()
	}()
	return s, nil
}

// seen takes note of an event of the member's: of the newest version, so that a claim of ours never turns the informer's clock back, and of
// which claims are its own.
func (c *claims) seen(event watch.Event) {
	object, ok := event.Object.(metav1.Object)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if object.GetResourceVersion() != "" {
		c.version = object.GetResourceVersion()
	}
	switch event.Type {
	case watch.Added, watch.Modified:
		c.arrived(keyOf(object))
	case watch.Deleted:
		c.real.Delete(keyOf(object))
	}
}

// overtaken: an event of ours came too late, the member has a claim of its own by that name.
func (c *claims) overtaken(claim *corev1.PersistentVolumeClaim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.real.Has(keyOf(claim))
}

// took: the informer took an event of ours.
func (c *claims) took(kind watch.EventType, claim *corev1.PersistentVolumeClaim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kind == watch.Deleted {
		delete(c.told, keyOf(claim))
	} else {
		c.told[keyOf(claim)] = claim
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

// put never blocks: a stream that falls 4096 behind loses the event until the next watch, and the copy that needed the claim is refused.
func (s *stream) put(event watch.Event) {
	select {
	case s.extra <- event:
	default:
	}
}

func (s *stream) run(c *claims) {
	defer close(s.out)
	for {
		select {
		case event, ok := <-s.real.ResultChan():
			if !ok {
				return
			}
			c.seen(event)
			if !s.send(event) {
				return
			}
		case event := <-s.extra:
			claim := event.Object.(*corev1.PersistentVolumeClaim)
			if c.overtaken(claim) {
				continue
			}
			if !s.send(event) {
				return
			}
			c.took(event.Type, claim)
		case <-s.done:
			return
		}
	}
}

func (s *stream) send(event watch.Event) bool {
	select {
	case s.out <- event:
		return true
	case <-s.done:
		return false
	}
}
