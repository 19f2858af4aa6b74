package reschedule

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// listFresh is how long one list of a member's namespace serves every look at a workload there. What a move rests on, who has a node and
// who has not, is read anew for each.
const listFresh = 5 * time.Second

// place is a namespace of a member.
type place struct{ cluster, namespace string }

// shared keeps what was listed of each place for as long as it is fresh, and lets those that ask at once wait for one list.
type shared[T any] struct {
	mu     sync.Mutex
	places map[place]*listed[T]
}

type listed[T any] struct {
	mu    sync.Mutex
	at    time.Time
	items T
}

// in a place; list is called where what is known is older than listFresh. An error is nobody else's.
func (s *shared[T]) in(at place, clk clock.PassiveClock, list func() (T, error)) (T, error) {
	one := s.of(at, clk.Now())
	one.mu.Lock()
	defer one.mu.Unlock()
	now := clk.Now()
	if age := now.Sub(one.at); !one.at.IsZero() && age >= 0 && age < listFresh {
		return one.items, nil
	}
	items, err := list()
	if err != nil {
		var none T
		return none, err
	}
	one.at, one.items = now, items
	return items, nil
}

// of a place, while those that are stale are dropped: there are as many as namespaces in which somebody lacks replicas.
func (s *shared[T]) of(at place, now time.Time) *listed[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, one := range s.places {
		if other == at || !one.mu.TryLock() {
			continue // it is being asked
		}
		if now.Sub(one.at).Abs() >= listFresh {
			delete(s.places, other)
		}
		one.mu.Unlock()
	}
	if s.places == nil {
		s.places = map[place]*listed[T]{}
	}
	if s.places[at] == nil {
		s.places[at] = &listed[T]{}
	}
	return s.places[at]
}

// refusedPods of a namespace of a member: those for which its scheduler finds no node, of every workload.
func (c *Controller) refusedPods(ctx context.Context, api client.Reader, at place) ([]corev1.Pod, error) {
	return c.refused.in(at, c.clock, func() ([]corev1.Pod, error) {
		var list corev1.PodList
		if err := api.List(ctx, &list, client.InNamespace(at.namespace), client.MatchingFields{"spec.nodeName": ""}); err != nil {
			return nil, fmt.Errorf("listing pods without a node: %w", err)
		}
		var out []corev1.Pod
		for i := range list.Items {
			if at, _ := refusal(&list.Items[i]); !at.IsZero() {
				out = append(out, list.Items[i])
			}
		}
		return out, nil
	})
}

// answers of autoscalers of nodes to pods of a namespace: when one last said that it makes a node, the cluster-autoscaler by
// TriggeredScaleUp, Karpenter by Nominated.
func (c *Controller) answers(ctx context.Context, api client.Reader, at place) (map[types.UID]time.Time, error) {
	return c.answered.in(at, c.clock, func() (map[types.UID]time.Time, error) {
		out := map[types.UID]time.Time{}
		for _, reason := range []string{"TriggeredScaleUp", "Nominated"} {
			var list corev1.EventList
			if err := api.List(ctx, &list, client.InNamespace(at.namespace), client.MatchingFields{"reason": reason}); err != nil {
				return nil, fmt.Errorf("listing events %s: %w", reason, err)
			}
			for i := range list.Items {
				e := &list.Items[i]
				for _, said := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time} {
					if said.After(out[e.InvolvedObject.UID]) {
						out[e.InvolvedObject.UID] = said
					}
				}
			}
		}
		return out, nil
	})
}
