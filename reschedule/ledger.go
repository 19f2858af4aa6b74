package reschedule

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// movedIndex finds bindings by the minute in which they were last moved: of ten thousand that ever were, a look reads those of lately.
const movedIndex = "reschedule.moved"

// promised is how long a move counts against the room of who got it. Pods are made within seconds; estimators see them then.
const promised = time.Minute

func indexMoved(o client.Object) []string {
	// What somebody else wrote there says nothing of what we moved.
	m, err := decide.Remember(o.GetAnnotations()[mark.RescheduleMoved])
	if err != nil || m.At.IsZero() {
		return nil
	}
	return []string{minuteOf(m.At)}
}

func minuteOf(at time.Time) string { return at.UTC().Truncate(time.Minute).Format(time.RFC3339) }

// ledger is what was moved lately. It is read from the bindings; own is what the cache may not show yet. Nobody holds it while a member, an
// estimator or the API server is asked: who decided by it notes a move only if nobody else has since, and decides anew otherwise.
type ledger struct {
	mu  sync.Mutex
	own map[types.NamespacedName]decide.Memory
	// noted counts the moves that were noted.
	noted int64
}

// note a move before the API server has it: one whose answer is lost may have been made. ok is false where others were noted after the
// count of since: two bindings would take one room. undo is for a write that was refused.
func (l *ledger) note(since int64, key types.NamespacedName, m decide.Memory) (undo func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.noted != since {
		return nil, false
	}
	l.noted++
	had, was := l.own[key]
	l.own[key] = m
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if delete(l.own, key); was {
			l.own[key] = had
		}
	}, true
}

// movedLately are the bindings that the cache shows to have been moved about a minute ago, or less.
func (c *Controller) movedLately(ctx context.Context, now time.Time) (map[types.NamespacedName]*workv1alpha2.ResourceBinding, error) {
	out := map[types.NamespacedName]*workv1alpha2.ResourceBinding{}
	for at := now.Add(-promised); !at.After(now.Add(promised)); at = at.Add(time.Minute) {
		var list workv1alpha2.ResourceBindingList
		if err := c.cache.List(ctx, &list, client.MatchingFields{movedIndex: minuteOf(at)}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("listing ResourceBindings that were moved: %w", err)
		}
		for i := range list.Items {
			out[client.ObjectKeyFromObject(&list.Items[i])] = &list.Items[i]
		}
	}
	return out, nil
}

// promises fills in what others were given, as of a count of the ledger's.
func (c *Controller) promises(ctx context.Context, key types.NamespacedName, seen *gathered) (noted int64, err error) {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	now := c.clock.Now()
	shown, err := c.movedLately(ctx, now)
	if err != nil {
		return 0, err
	}
	latest := map[types.NamespacedName]decide.Memory{}
	for of, b := range shown {
		if m, err := decide.Remember(b.Annotations[mark.RescheduleMoved]); err == nil {
			latest[of] = m
		}
	}
	for of, m := range c.ledger.own {
		if now.Sub(m.At).Abs() > promised || !m.At.Truncate(time.Second).After(latest[of].At) {
			delete(c.ledger.own, of) // the cache shows it, as long as there is the binding
			continue
		}
		latest[of] = m
		delete(shown, of)
	}
	given, passed := map[string]int32{}, map[string]int32{}
	for of, m := range latest {
		if now.Sub(m.At).Abs() > promised {
			continue
		}
		for _, t := range m.Moved {
			passed[t.From] += t.Replicas
			passed[t.To] += t.Replicas
			if of != key && !cameUp(shown[of], t.To) {
				given[t.To] += t.Replicas
			}
		}
	}
	for i := range seen.world.Clusters {
		cluster := &seen.world.Clusters[i]
		cluster.Promised, cluster.Recent = given[cluster.Name], passed[cluster.Name]
	}
	seen.given, seen.passed = given, passed
	return c.ledger.noted, nil
}

// cameUp reports whether a cluster runs all it was assigned: what was moved there is no promise any more, its estimator counts the pods.
func cameUp(b *workv1alpha2.ResourceBinding, cluster string) bool {
	if b == nil {
		return false
	}
	i := slices.IndexFunc(b.Spec.Clusters, func(t workv1alpha2.TargetCluster) bool { return t.Name == cluster })
	return i >= 0 && !short(b, b.Spec.Clusters[i])
}
