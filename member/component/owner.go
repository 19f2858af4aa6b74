package component

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/shard"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=argosy-system,resources=leases,verbs=get;list;watch

// Election is by whose Leases one controller knows whether another lives.
type Election struct {
	// Namespace of the Leases, and the Name that the controller called default has; LeaseName says that of the others.
	Namespace, Name string
	// Length of a Lease that is not there.
	Length time.Duration
}

// LeaseName is the Lease of a controller.
func LeaseName(name, id string) string {
	if id == DefaultControllerID {
		return name
	}
	return name + "-" + id
}

// place is what the controller does with a Component.
type place struct {
	// acts is true of its owner.
	acts bool
	// again is when to look the next time; 0: when something changes.
	again time.Duration
}

// waitsFor another controller to hand over, which is an event.
const waitsFor = 5 * time.Second

// place finds out whether the Component is this controller's, and asks for it, takes it or hands it over where that is due. A Component
// that was taken is the newer one afterwards.
func (r *Reconciler) place(ctx context.Context, component *v1alpha1.Component) (place, error) {
	status := &component.Status
	in := shard.Input{
		Self: r.id, Wanted: component.Labels[v1alpha1.LabelControllerID], Owner: status.ControllerID, Next: status.NextControllerID,
	}
	fresh, err := r.fresh(ctx)
	if err != nil {
		return place{}, err
	}
	in.Fresh = fresh
	left := time.Duration(0)
	if in.Owner != "" && in.Owner != r.id {
		if in.Dead, left, err = r.dead(ctx, in.Owner); err != nil {
			return place{}, err
		}
	}
	switch step := shard.Decide(in); step {
	case shard.Act:
		return place{acts: true}, nil
	case shard.Stop:
		return place{again: lookSoon}, nil
	case shard.Ask:
		return place{again: waitsFor}, r.own(ctx, component, status.ControllerID, r.id)
	case shard.Wait:
		return place{again: min(max(left, lookSoon), waitsFor)}, nil
	case shard.HandOver:
		if err := r.own(ctx, component, status.NextControllerID, ""); err != nil {
			return place{}, err
		}
		r.confirmed.Delete(client.ObjectKeyFromObject(component))
		r.recorder.Eventf(component, "Normal", v1alpha1.ReasonHandedOver, "manager %s acts on it from now on", component.Status.ControllerID)
		return place{}, nil
	case shard.Take:
		if err := r.own(ctx, component, r.id, ""); err != nil {
			return place{}, err
		}
		r.confirmed.Store(client.ObjectKeyFromObject(component), component.UID)
		if in.Owner != "" {
			r.recorder.Eventf(component, "Warning", v1alpha1.ReasonTakenOver,
				"manager %s acts on it from now on: manager %s did not renew its Lease for twice its length", r.id, in.Owner)
		}
		return place{acts: true}, nil
	default:
		return place{}, nil
	}
}

// own writes who owns the Component and who asks for it, into the very version that was read.
func (r *Reconciler) own(ctx context.Context, component *v1alpha1.Component, owner, next string) error {
	base := component.DeepCopy()
	component.Status.ControllerID, component.Status.NextControllerID = owner, next
	err := r.writer.Status().Patch(ctx, component, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
	if err != nil {
		return fmt.Errorf("writing whose the Component is: %w", err)
	}
	log.FromContext(ctx).V(1).Info("Wrote whose a Component is", "component", klog.KObj(component), "controllerID", owner, "next", next,
		"reason", "Shard")
	return nil
}

// confirm that the Component is this controller's before anything is written for it: the API server itself is asked, once, for a cache may
// show what was before a hand-over. What was decided from an older Component is not done either: a cache that has just begun may be that of
// an API server which is behind, and a change that the process before this one carried out would be undone and done again.
func (r *Reconciler) confirm(ctx context.Context, component *v1alpha1.Component) (bool, error) {
	key := client.ObjectKeyFromObject(component)
	if known, _ := r.confirmed.Load(key); known != component.UID {
		live := &v1alpha1.Component{}
		err := r.reader.Get(ctx, key, live)
		if apierrors.IsNotFound(err) || err == nil && (live.UID != component.UID || live.Status.ControllerID != r.id) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("asking whose the Component is: %w", err)
		}
		if live.ResourceVersion != component.ResourceVersion {
			return false, nil
		}
		r.confirmed.Store(key, component.UID)
	}
	return r.fresh(ctx)
}

// fresh says that this controller still leads, as far as its Lease says.
func (r *Reconciler) fresh(ctx context.Context) (bool, error) {
	if r.election == nil {
		return true, nil
	}
	lease, err := r.lease(ctx, r.id)
	return err == nil && lease.Fresh(r.clock.Now()), err
}

// dead says that another controller did not renew its Lease for twice its length, or how long that takes from now.
func (r *Reconciler) dead(ctx context.Context, id string) (bool, time.Duration, error) {
	if r.election == nil {
		return false, waitsFor, nil // nobody says who lives
	}
	lease, err := r.lease(ctx, id)
	if err != nil {
		return false, 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	r.others.See(id, lease, r.election.Length, now)
	return r.others.Dead(id, now), r.others.Left(id, now), nil
}

func (r *Reconciler) lease(ctx context.Context, id string) (shard.Lease, error) {
	stored := &coordinationv1.Lease{}
	key := types.NamespacedName{Namespace: r.election.Namespace, Name: LeaseName(r.election.Name, id)}
	err := r.cache.Get(ctx, key, stored)
	if apierrors.IsNotFound(err) {
		return shard.Lease{}, nil
	}
	if err != nil {
		return shard.Lease{}, fmt.Errorf("reading Lease %s: %w", key, err)
	}
	out := shard.Lease{
		Stamp:  string(stored.UID) + "/" + stored.ResourceVersion,
		Length: time.Duration(ptr.Deref(stored.Spec.LeaseDurationSeconds, 0)) * time.Second,
	}
	if stored.Spec.RenewTime != nil {
		out.Renewed = stored.Spec.RenewTime.Time
	}
	return out, nil
}
