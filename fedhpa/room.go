package fedhpa

import (
	"context"
	"sync"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	estimatorclient "github.com/karmada-io/karmada/pkg/estimator/client"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/fedhpa/decide"
)

// roomFresh is how long an answer about room is used again: members' autoscalers look every 15 s, so a burst of events costs one question.
const roomFresh = 15 * time.Second

// asker knows how many more replicas fit a member; ok is false when it does not know.
type asker interface {
	Free(ctx context.Context, cluster string, binding *workv1alpha2.ResourceBinding) (replicas int32, ok bool)
	Unschedulable(ctx context.Context, cluster string, binding *workv1alpha2.ResourceBinding) (replicas int32, ok bool)
}

// room asks for each member's room: its estimator first, then the Cluster's status. Nobody's answer is no answer, and never zero.
type room struct {
	estimator asker
	clock     clock.Clock
	metrics   *measures

	mu    sync.Mutex
	known map[types.NamespacedName]knownRoom
}

type knownRoom struct {
	of      types.UID
	at      time.Time
	answers map[string]answer
}

type answer struct {
	free          *int32
	from          string
	unschedulable int32
	// replicas ran when the question was asked, as far as their status tells.
	replicas int32
}

// fill completes the view's members.
func (r *room) fill(ctx context.Context, v *view, clusters map[string]*clusterv1alpha1.Cluster) {
	if v.binding == nil || v.world.Deleting || v.fed.Spec.Suspend {
		return
	}
	answers := r.answers(ctx, v, clusters)
	for i := range v.world.Members {
		m := &v.world.Members[i]
		a := answers[m.Name]
		m.Free, m.FreeAt, m.FreeFrom, m.Unschedulable = a.free, a.replicas, a.from, a.unschedulable
		if m.HPA != nil && m.HPA.Fault == "" && m.Workload != nil && m.Workload.Observed {
			// Replicas the workload's controller could not even create: a quota, or admission in the member. One that cannot scale asks for what it
			// asked before.
			m.Unschedulable = max(m.Unschedulable, m.HPA.Desired-m.Workload.Replicas)
		}
	}
}

func (r *room) answers(ctx context.Context, v *view, clusters map[string]*clusterv1alpha1.Cluster) map[string]answer {
	now := r.clock.Now()
	r.mu.Lock()
	known := r.known[v.key()]
	r.mu.Unlock()
	if known.of == v.fed.UID && now.Sub(known.at) < roomFresh && sameMembers(known.answers, v.world.Members) {
		return known.answers
	}
	answers := make([]answer, len(v.world.Members))
	var wg sync.WaitGroup
	for i := range v.world.Members {
		wg.Go(func() { answers[i] = r.ask(ctx, v, &v.world.Members[i], clusters[v.world.Members[i].Name]) })
	}
	wg.Wait()
	known = knownRoom{of: v.fed.UID, at: now, answers: map[string]answer{}}
	for i, m := range v.world.Members {
		known.answers[m.Name] = answers[i]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[v.key()] = known
	return known.answers
}

func sameMembers(answers map[string]answer, members []decide.Member) bool {
	for _, m := range members {
		if _, ok := answers[m.Name]; !ok {
			return false
		}
	}
	return true
}

// ask about one member.
func (r *room) ask(ctx context.Context, v *view, m *decide.Member, cluster *clusterv1alpha1.Cluster) answer {
	if !m.Ready {
		return answer{}
	}
	var out answer
	if m.Workload != nil {
		out.replicas = m.Workload.Replicas
	}
	if m.Workload != nil && m.Workload.Ready < m.Workload.Replicas {
		out.unschedulable, _ = r.estimator.Unschedulable(ctx, m.Name, v.binding)
	}
	if n, ok := r.estimator.Free(ctx, m.Name, v.binding); ok {
		out.free, out.from = &n, "estimator"
		return out
	}
	if cluster != nil && cluster.Status.ResourceSummary != nil {
		general := estimatorclient.NewGeneralEstimator()
		if answers, err := general.MaxAvailableReplicas(ctx, estimatorclient.ReplicaEstimationRequest{
			Clusters: []*clusterv1alpha1.Cluster{cluster}, ReplicaRequirements: v.binding.Spec.ReplicaRequirements,
		}); err == nil && len(answers) == 1 {
			out.free, out.from = &answers[0].Replicas, "Cluster status"
			return out
		}
	}
	r.metrics.unknownRoom.Inc()
	return out
}

// forget drops what is no longer there.
func (r *room) forget(fed types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, fed)
}
