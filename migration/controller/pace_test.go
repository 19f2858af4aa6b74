package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/plan"
)

func TestPace(t *testing.T) {
	waits := func(step string, actions int) plan.Decision {
		return plan.Decision{Step: step, Requeue: plan.Soon, Actions: make([]plan.Action, actions)}
	}
	opened := waits("open", 0)
	opened.Status.Clusters = []v1alpha1.ClusterStatus{{Name: "member1", State: v1alpha1.ClusterSuspended}}
	rests := plan.Decision{Step: "open", Requeue: 5 * time.Minute}
	const first = firstLook
	for name, tc := range map[string]struct {
		decisions []plan.Decision
		want      []time.Duration
	}{
		"waits ever longer, never longer than the plan says": {
			decisions: []plan.Decision{waits("open", 0), waits("open", 0), waits("open", 0), waits("open", 0), waits("open", 0)},
			want:      []time.Duration{first, 2 * first, 4 * first, plan.Soon, plan.Soon},
		},
		"looks soon after a write, a step, a cluster": {
			decisions: []plan.Decision{waits("open", 1), waits("open", 0), waits("open", 0), waits("soak", 0), opened},
			want:      []time.Duration{first, first, 2 * first, first, first},
		},
		"what rests, rests, and begins anew": {
			decisions: []plan.Decision{waits("open", 0), waits("open", 0), rests, waits("open", 0)},
			want:      []time.Duration{first, 2 * first, 5 * time.Minute, first},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, key := &pace{}, client.ObjectKey{Namespace: "shop", Name: "web"}
			var got []time.Duration
			for _, decision := range tc.decisions {
				got = append(got, p.next(key, decision))
				p.next(client.ObjectKey{Namespace: "shop", Name: "other"}, waits("open", 0)) // is none of its business
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("pauses (-want +got):\n%s", diff)
			}
			p.forget(key)
			if again := p.next(key, waits("open", 0)); again != first {
				t.Errorf("after it was forgotten: %s", again)
			}
		})
	}
}
