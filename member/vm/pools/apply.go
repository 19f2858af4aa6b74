package pools

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/pool"
)

// intend puts on record who is to come into the pool, and with which address, before the pool is asked: whoever dies in between leaves
// nobody in it of whom nothing is written. The write rests on what was read, so nobody comes in by an old decision.
func (r *Reconciler) intend(ctx context.Context, in pool.Input, out pool.Output) error {
	for _, server := range in.Servers {
		changed := server.DeepCopy()
		comes := false
		for _, e := range out.Entries {
			if e.Server != server {
				continue
			}
			record := recordIn(changed, e.Record)
			switch {
			case e.Record.State == v1alpha1.Attached && (record == nil || !asked(*record) || moved(*record, e.Record)):
				next := e.Record
				next.State = v1alpha1.Attaching
				comes = true
				put(changed, next, in.Now)
			case record == nil:
				put(changed, e.Record, in.Now)
			}
		}
		if comes && !controllerutil.ContainsFinalizer(changed, v1alpha1.FinalizerLoadBalancer) {
			if err := r.hold(ctx, server, changed); err != nil {
				return err
			}
		}
		if err := r.writeStatus(ctx, server, changed); err != nil {
			return err
		}
	}
	return nil
}

// asked says that the pool was asked to take it, and may have.
func asked(is v1alpha1.Attachment) bool {
	return is.State == v1alpha1.Attached || is.State == v1alpha1.Attaching
}

func moved(is, wanted v1alpha1.Attachment) bool {
	return is.Address != wanted.Address || is.Port != wanted.Port
}

// hold the Server until it is out of its pools.
func (r *Reconciler) hold(ctx context.Context, server, changed *v1alpha1.Server) error {
	held := server.DeepCopy()
	controllerutil.AddFinalizer(held, v1alpha1.FinalizerLoadBalancer)
	if err := r.writer.Patch(ctx, held, client.MergeFromWithOptions(server.DeepCopy(), client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("holding Server %s until it is out of its pools: %w", server.Name, err)
	}
	for _, o := range []*v1alpha1.Server{server, changed} {
		o.Finalizers, o.ResourceVersion = held.Finalizers, held.ResourceVersion
	}
	return nil
}

// writeStatus of what changed, on what was read; server is brought to what is stored then.
func (r *Reconciler) writeStatus(ctx context.Context, server, changed *v1alpha1.Server) error {
	if equality.Semantic.DeepEqual(server.Status.LoadBalancers, changed.Status.LoadBalancers) {
		return nil
	}
	before := server.DeepCopy()
	written := changed.DeepCopy()
	if err := r.writer.Status().Patch(ctx, written, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("recording the pools of Server %s: %w", server.Name, err)
	}
	r.tell(before, changed)
	server.Status.LoadBalancers, server.ResourceVersion = changed.Status.LoadBalancers, written.ResourceVersion
	return nil
}

// shown is what a pool showed, and what it said to what it was told.
type shown struct {
	seen map[string]balance.Seen
	// told is what Ensure said; err says why it is not known what the pool shows.
	told, err error
}

func bySeen(seen []balance.Seen) map[string]balance.Seen {
	out := map[string]balance.Seen{}
	for _, one := range seen {
		out[one.ID] = one
	}
	return out
}

func unconfigured(driver string, drivers map[string]balance.Driver) shown {
	return shown{err: fmt.Errorf("load balancer driver %q is not configured here; there is: %s", driver,
		strings.Join(slices.Sorted(maps.Keys(drivers)), ", "))}
}

// writeRecords of what the pool showed.
func (r *Reconciler) writeRecords(ctx context.Context, in pool.Input, out pool.Output, shows shown) error {
	var errs []error
	for _, server := range in.Servers {
		changed := server.DeepCopy()
		for _, e := range out.Entries {
			if e.Server != server {
				continue
			}
			next := shows.record(e, recordIn(changed, e.Record))
			if e.Dropped && next.State == v1alpha1.Detached {
				changed.Status.LoadBalancers = slices.DeleteFunc(changed.Status.LoadBalancers,
					func(a v1alpha1.Attachment) bool { return same(a, next) })
				continue
			}
			put(changed, next, in.Now)
		}
		errs = append(errs, r.writeStatus(ctx, server, changed))
	}
	return errors.Join(errs...)
}

// record is the attachment as the pool shows it; what is not known stays as it is on record.
func (s shown) record(e pool.Entry, is *v1alpha1.Attachment) v1alpha1.Attachment {
	out := v1alpha1.Attachment{Name: e.Record.Name, Driver: e.Record.Driver, Pool: e.Record.Pool, State: v1alpha1.Detached}
	if is != nil {
		out = *is.DeepCopy()
	}
	out.Message = facts.Cut(e.Trouble)
	if s.err != nil {
		return s.unseen(e, out)
	}
	return s.look(e, out)
}

// unseen is the record of an attachment whose pool could not be looked at.
func (s shown) unseen(e pool.Entry, out v1alpha1.Attachment) v1alpha1.Attachment {
	_, in := e.Member()
	if errors.Is(s.err, balance.ErrNoPool) {
		if e.Record.State != v1alpha1.Attached {
			out.State = v1alpha1.Detached // nothing reaches it through a pool that is not there
			return out
		}
		out.State = v1alpha1.Attaching
	}
	if in || out.State != v1alpha1.Detached {
		out.Message = facts.Cut(s.err.Error())
	}
	return out
}

// look is the record of an attachment by what the pool showed.
func (s shown) look(e pool.Entry, out v1alpha1.Attachment) v1alpha1.Attachment {
	member, in := e.Member()
	seen, there := s.seen[e.ID()]
	if there {
		out.Address, out.Port = seen.Address, seen.Port
	}
	switch {
	case !there && in && s.told != nil:
		out.State = v1alpha1.Attaching // it was asked for, and may come in at any time
	case !there:
		out.State = v1alpha1.Detached
	case seen.Mixed:
	case seen.Draining:
		out.State = v1alpha1.Draining
	default:
		out.State, out.Weight = v1alpha1.Attached, &seen.Weight
	}
	if s.told != nil && (there != in || seen.Mixed || in && seen.Member != member) {
		out.Message = facts.Cut(s.told.Error())
	}
	return out
}

func same(a, b v1alpha1.Attachment) bool {
	return a.Driver == b.Driver && a.Pool == b.Pool && a.Name == b.Name
}

func recordIn(server *v1alpha1.Server, of v1alpha1.Attachment) *v1alpha1.Attachment {
	for i := range server.Status.LoadBalancers {
		if r := &server.Status.LoadBalancers[i]; same(*r, of) {
			return r
		}
	}
	return nil
}

// put the record in its place; the time of a state that did not change stays.
func put(server *v1alpha1.Server, next v1alpha1.Attachment, now time.Time) {
	is := recordIn(server, next)
	if is == nil || is.State != next.State || next.Since == nil {
		next.Since = &metav1.Time{Time: now}
	}
	if is == nil {
		server.Status.LoadBalancers = append(server.Status.LoadBalancers, next)
		return
	}
	if is.State == next.State && is.Since != nil {
		next.Since = is.Since
	}
	*is = next
}

// leaves says that a Server waits for nothing of its pools but to be let go.
func leaves(server *v1alpha1.Server) bool {
	return server.DeletionTimestamp != nil && controllerutil.ContainsFinalizer(server, v1alpha1.FinalizerLoadBalancer)
}

// free a Server that is being deleted and out of every pool, or whose pools a person said to leave alone.
func (r *Reconciler) free(ctx context.Context, key Key) error {
	server := &v1alpha1.Server{}
	if err := r.cache.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: key.Server}, server); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !leaves(server) || !pool.Free(server) {
		return nil // the event of what it waits for brings it again
	}
	changed := server.DeepCopy()
	controllerutil.RemoveFinalizer(changed, v1alpha1.FinalizerLoadBalancer)
	if err := r.writer.Patch(ctx, changed, client.MergeFromWithOptions(server, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("letting Server %s go: %w", server.Name, err)
	}
	return nil
}

// tell of what was written.
func (r *Reconciler) tell(before, after *v1alpha1.Server) {
	for _, now := range after.Status.LoadBalancers {
		was := recordIn(before, now)
		switch {
		case was != nil && was.State == now.State && was.Message == now.Message:
		case was == nil && now.State == v1alpha1.Detached && now.Message == "":
		case now.Message != "":
			r.recorder.Eventf(after, corev1.EventTypeWarning, string(now.State), "Load balancer %s, pool %s: %s", now.Name, now.Pool, now.Message)
		case was != nil && was.State == now.State, now.State == v1alpha1.Attaching:
		default:
			r.recorder.Eventf(after, corev1.EventTypeNormal, string(now.State), "Load balancer %s, pool %s.", now.Name, now.Pool)
		}
	}
}
