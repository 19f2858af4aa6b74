package template

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
)

// Object is what the gRPC metadata key `object` names: a kind without its group.
type Object struct {
	Kind, Namespace, Name string
}

// ParseObject reads "kind=Deployment, name=shop/web" (Karmada's pkg/scheduler/core/util.go). ok is false where there is no such text.
func ParseObject(text string) (object Object, ok bool) {
	kind, name, found := strings.Cut(text, ", name=")
	kind, prefixed := strings.CutPrefix(kind, "kind=")
	if !found || !prefixed {
		return Object{}, false
	}
	object.Kind = kind
	object.Namespace, object.Name, found = strings.Cut(name, "/")
	return object, found && object.Kind != "" && object.Name != ""
}

// ErrNoKind: karmada-apiserver has no such kind, or had not a few seconds ago.
var ErrNoKind = errors.New("karmada-apiserver does not serve the kind")

const (
	// keepFor: a scheduler asks for all members at once; they share one read. Longer would answer a new template with the old one.
	keepFor = time.Second
	// sharedReads bounds how many reads are kept: more than a scheduler asks about in that time.
	sharedReads = 1024
	// readsAtOnce bounds how many run beside each other: a start finds a thousand promises, and karmada-apiserver has others to serve.
	readsAtOnce = 64
	// kindsFor is how long the list of kinds holds before a kind that is not in it is looked for anew.
	kindsFor = 5 * time.Second
)

// The kinds with replicas that are known here, and the claims that travel with them. A kind of your own that may not be read is answered
// for by its request alone: to have it read too, bind argosy-estimator to a role of yours.
//
// +kubebuilder:rbac:groups=apps,resources=deployments;replicasets;statefulsets,verbs=get
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets;statefulsets;uniteddeployments,verbs=get
// +kubebuilder:rbac:groups=vm.argosy.dev,resources=vmreplicasets,verbs=get
// +kubebuilder:rbac:groups=component.luojilab.com,resources=components,verbs=get
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get

// Resolver reads workloads from karmada-apiserver.
type Resolver struct {
	// Placed, if set, is what bindings place of a kind and name. Set it before the first Find.
	Placed func(Object) []workv1alpha2.ObjectReference

	client    dynamic.Interface
	discovery discovery.DiscoveryInterface
	clock     clock.PassiveClock
	// slots has room for readsAtOnce.
	slots chan struct{}

	mu     sync.Mutex
	recent *lru.Cache

	// reading is held while the kinds are read, which takes as long as karmada-apiserver does: only who asks for one that is not known waits.
	reading sync.Mutex
	served  atomic.Pointer[served]
}

// served are the kinds of karmada-apiserver as they were last read.
type served struct {
	kinds map[string][]schema.GroupVersionResource
	at    time.Time
}

type lookup struct {
	begun   time.Time
	done    chan struct{}
	objects []*unstructured.Unstructured
	err     error
	// last is what an earlier read found, if this one does not come to an end.
	last []*unstructured.Unstructured
}

// NewResolver makes a resolver. The clients' own timeouts bound a read that its caller has given up.
func NewResolver(client dynamic.Interface, discovery discovery.DiscoveryInterface, clock clock.PassiveClock) *Resolver {
	return &Resolver{client: client, discovery: discovery, clock: clock, recent: lru.New(sharedReads),
		slots: make(chan struct{}, readsAtOnce)}
}

// Find returns every workload of that kind and name: two groups may have a kind of one name (StatefulSet of apps and of apps.kruise.io).
// None is no error; a kind that karmada-apiserver does not serve is ErrNoKind. With an error there may be what was last read, where the
// bindings say that it is still what the replicas are to be.
func (r *Resolver) Find(ctx context.Context, object Object) ([]*unstructured.Unstructured, error) {
	l := r.begin(ctx, object)
	select {
	case <-l.done:
	default:
		select {
		case <-l.done:
		case <-ctx.Done():
			return r.standIn(object, l.last), fmt.Errorf("reading %s %s/%s from karmada-apiserver: %w", object.Kind, object.Namespace,
				object.Name, context.Cause(ctx))
		}
	}
	if l.err != nil {
		return r.standIn(object, l.last), l.err
	}
	return l.objects, nil
}

// Start begins to read what Find will be asked for, and does not wait: who needs many reads them side by side.
func (r *Resolver) Start(ctx context.Context, object Object) { r.begin(ctx, object) }

func (r *Resolver) begin(ctx context.Context, object Object) *lookup {
	l, mine := r.lookup(object)
	if mine {
		go func() {
			defer close(l.done)
			r.slots <- struct{}{}
			defer func() { <-r.slots }()
			l.objects, l.err = r.read(context.WithoutCancel(ctx), object)
		}()
	}
	return l
}

// lookup shares one read between those who ask within keepFor, or as long as it is what bindings place.
func (r *Resolver) lookup(object Object) (*lookup, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &lookup{begun: r.clock.Now(), done: make(chan struct{})}
	if found, ok := r.recent.Get(object); ok {
		if before, ok := found.(*lookup); ok {
			if r.serves(object, before, l.begun) {
				return before, false
			}
			l.last = before.found()
		}
	}
	r.recent.Add(object, l)
	return l, true
}

func (r *Resolver) read(ctx context.Context, object Object) ([]*unstructured.Unstructured, error) {
	resources, err := r.resources(object.Kind, false)
	if err != nil {
		return nil, err
	}
	found, err := r.get(ctx, object, resources)
	if err != nil || len(found) > 0 {
		return found, err
	}
	// A kind of that name may have been installed since: Kubernetes' StatefulSet is there, OpenKruise's has come.
	again, err := r.resources(object.Kind, true)
	if err != nil {
		return nil, err
	}
	return r.get(ctx, object,
		slices.DeleteFunc(slices.Clone(again), func(one schema.GroupVersionResource) bool { return slices.Contains(resources, one) }))
}

// get reads the object in each of the resources.
func (r *Resolver) get(ctx context.Context, object Object, resources []schema.GroupVersionResource) ([]*unstructured.Unstructured, error) {
	var found []*unstructured.Unstructured
	var forbidden error
	for _, resource := range resources {
		one, err := r.client.Resource(resource).Namespace(object.Namespace).Get(ctx, object.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
		case apierrors.IsForbidden(err):
			forbidden = err
		case err != nil:
			return nil, fmt.Errorf("reading %s %s/%s: %w", resource, object.Namespace, object.Name, err)
		default:
			found = append(found, one)
		}
	}
	if len(found) == 0 && forbidden != nil {
		return nil, fmt.Errorf("reading %s %s/%s (bind argosy-estimator to a role that may): %w", object.Kind, object.Namespace, object.Name,
			forbidden)
	}
	return found, nil
}

// resources are the preferred versions of all groups that have the kind; read anew, if that is asked for and the list is not of the last
// seconds.
func (r *Resolver) resources(kind string, anew bool) ([]schema.GroupVersionResource, error) {
	if known := r.served.Load(); known != nil && !anew {
		if list, ok := known.kinds[kind]; ok {
			return list, nil
		}
	}
	r.reading.Lock()
	defer r.reading.Unlock()
	now := r.clock.Now()
	if known := r.served.Load(); known != nil && now.Sub(known.at) < kindsFor {
		if list, ok := known.kinds[kind]; ok {
			return list, nil
		}
		return nil, fmt.Errorf("%w %s", ErrNoKind, kind)
	}
	lists, err := r.discovery.ServerPreferredResources()
	var partial *discovery.ErrGroupDiscoveryFailed
	if err != nil && (!errors.As(err, &partial) || len(lists) == 0) {
		return nil, fmt.Errorf("discovering the kinds of karmada-apiserver: %w", err)
	}
	known := &served{kinds: kindsOf(lists), at: now}
	r.served.Store(known)
	if list, ok := known.kinds[kind]; ok {
		return list, nil
	}
	if partial != nil {
		return nil, fmt.Errorf("discovering the kinds of karmada-apiserver: %w", partial)
	}
	return nil, fmt.Errorf("%w %s", ErrNoKind, kind)
}

func kindsOf(lists []*metav1.APIResourceList) map[string][]schema.GroupVersionResource {
	kinds := map[string][]schema.GroupVersionResource{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, resource := range list.APIResources {
			if resource.Namespaced && !strings.Contains(resource.Name, "/") {
				kinds[resource.Kind] = append(kinds[resource.Kind], version.WithResource(resource.Name))
			}
		}
	}
	return kinds
}
