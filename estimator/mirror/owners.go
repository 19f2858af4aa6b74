package mirror

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
)

// Workload names what pods may belong to. Where its group is not known (the question's metadata has none), any will do; so will any kind
// where that is empty.
type Workload struct {
	Group, Kind, Namespace, Name string
	AnyGroup                     bool
}

func (w Workload) is(owner *metav1.OwnerReference) bool {
	if w.Kind != "" && owner.Kind != w.Kind || owner.Name != w.Name {
		return false
	}
	version, err := schema.ParseGroupVersion(owner.APIVersion)
	return err == nil && (w.AnyGroup || version.Group == w.Group)
}

// maxOwners is the longest chain followed: Component, Deployment, ReplicaSet, Pod is three.
const maxOwners = 6

// PodsOf returns the pods that belong to the workload through any chain of controllers, whatever their kinds.
func (m *Member) PodsOf(ctx context.Context, workload Workload) ([]*corev1.Pod, error) {
	pods, err := m.podsIn(workload.Namespace)
	if err != nil {
		return nil, err
	}
	var found []*corev1.Pod
	// A namespace has thousands of pods and few controllers: each is followed once.
	ours := map[types.UID]bool{}
	for _, pod := range pods {
		if workload.Kind == "Pod" {
			if pod.Name == workload.Name {
				found = append(found, pod)
			}
			continue
		}
		owner := metav1.GetControllerOfNoCopy(pod)
		if owner == nil {
			continue
		}
		belongs, known := ours[owner.UID]
		if !known {
			if belongs, err = m.belongs(ctx, workload, owner); err != nil {
				return found, err
			}
			ours[owner.UID] = belongs
		}
		if belongs {
			found = append(found, pod)
		}
	}
	return found, nil
}

// belongs follows a controller up its chain.
func (m *Member) belongs(ctx context.Context, workload Workload, owner *metav1.OwnerReference) (bool, error) {
	for range maxOwners {
		if owner == nil {
			return false, nil
		}
		if workload.is(owner) {
			return true, nil
		}
		var err error
		if owner, err = m.ownerOf(ctx, workload.Namespace, owner); err != nil {
			return false, err
		}
	}
	return false, nil
}

// ownerOf follows one controller reference: ReplicaSets from memory, any other kind by one read, remembered.
func (m *Member) ownerOf(ctx context.Context, namespace string, of *metav1.OwnerReference) (*metav1.OwnerReference, error) {
	if of.Kind == "ReplicaSet" {
		if set, err := m.Informers.Apps().V1().ReplicaSets().Lister().ReplicaSets(namespace).Get(of.Name); err == nil {
			return metav1.GetControllerOf(set), nil
		}
	}
	return m.owners.of(ctx, namespace, of)
}

// MadeFrom is the template in the member that a pod was made from, cut down as trimMade says, or nil where that is not known.
func (m *Member) MadeFrom(pod *corev1.Pod) *corev1.PodTemplateSpec {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || owner.Kind != "ReplicaSet" {
		return nil
	}
	set, err := m.Informers.Apps().V1().ReplicaSets().Lister().ReplicaSets(pod.Namespace).Get(owner.Name)
	if err != nil || len(set.Spec.Template.Spec.Containers) == 0 {
		return nil
	}
	return &set.Spec.Template
}

// owners remembers who controls an object; a controller reference does not change in an object's life, so the UID is key enough.
type owners struct {
	client dynamic.Interface
	mapper meta.RESTMapper
	clock  clock.PassiveClock

	known *lru.Cache
}

// known is an answer. One that says "none" because the kind or the object could not be found or read holds until asked anew: kinds are
// installed, and rights given, later.
type known struct {
	owner *metav1.OwnerReference
	until time.Time
}

const (
	// rememberOwners bounds the memory.
	rememberOwners = 20000
	// doubtFor is how long an owner that could not be read is taken for none.
	doubtFor = time.Minute
)

func newOwners(client dynamic.Interface, mapper meta.RESTMapper, clock clock.PassiveClock) *owners {
	return &owners{client: client, mapper: mapper, clock: clock, known: lru.New(rememberOwners)}
}

func (o *owners) of(ctx context.Context, namespace string, of *metav1.OwnerReference) (*metav1.OwnerReference, error) {
	now := o.clock.Now()
	var before known
	found, ok := o.known.Get(of.UID)
	if ok {
		before, ok = found.(known)
	}
	if ok && (before.until.IsZero() || now.Before(before.until)) || o.mapper == nil {
		return before.owner, nil
	}
	kind := schema.FromAPIVersionAndKind(of.APIVersion, of.Kind)
	mapping, err := o.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		meta.MaybeResetRESTMapper(o.mapper)
		mapping, err = o.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if meta.IsNoMatchError(err) {
		return o.remember(of.UID, known{until: now.Add(doubtFor)}), nil
	}
	if err != nil {
		return nil, fmt.Errorf("finding the resource of %s: %w", kind, err)
	}
	object, err := o.client.Resource(mapping.Resource).Namespace(namespace).Get(ctx, of.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return o.remember(of.UID, known{until: now.Add(doubtFor)}), nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading owner %s %s/%s: %w", of.Kind, namespace, of.Name, err)
	}
	return o.remember(of.UID, known{owner: metav1.GetControllerOf(object)}), nil
}

func (o *owners) remember(uid types.UID, found known) *metav1.OwnerReference {
	o.known.Add(uid, found)
	return found.owner
}
