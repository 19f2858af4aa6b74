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

// movedIndex finds bindings that were ever moved.
const movedIndex = "reschedule.moved"

// promised is how long a move counts against the room of who got it. Pods are made within seconds; estimators see them then.
const promised = time.Minute

func indexMoved(o client.Object) []string {
	if o.GetAnnotations()[mark.RescheduleMoved] != "" {
		return []string{"true"}
	}
	return nil
}

// ledger is what was moved lately. It is read from the bindings; own is what the cache may not show yet.
type ledger struct {
	mu  sync.Mutex
	own map[types.NamespacedName]decide.Memory
}

// promises fills in what others were given. The ledger is locked.
func (c *Controller) promises(ctx context.Context, key types.NamespacedName, seen *gathered) error {
	var list workv1alpha2.ResourceBindingList
	if err := c.cache.List(ctx, &list, client.MatchingFields{movedIndex: "true"}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing ResourceBindings that were moved: %w", err)
	}
	now, latest := c.clock.Now(), map[types.NamespacedName]decide.Memory{}
	shown := map[types.NamespacedName]*workv1alpha2.ResourceBinding{}
	for i := range list.Items {
		// What somebody else wrote there says nothing of what we moved.
		if m, err := decide.Remember(list.Items[i].Annotations[mark.RescheduleMoved]); err == nil {
			key := client.ObjectKeyFromObject(&list.Items[i])
			latest[key], shown[key] = m, &list.Items[i]
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
	return nil
}

// cameUp reports whether a cluster runs all it was assigned: what was moved there is no promise any more, its estimator counts the pods.
func cameUp(b *workv1alpha2.ResourceBinding, cluster string) bool {
	if b == nil {
		return false
	}
	i := slices.IndexFunc(b.Spec.Clusters, func(t workv1alpha2.TargetCluster) bool { return t.Name == cluster })
	return i >= 0 && !short(b, b.Spec.Clusters[i])
}
