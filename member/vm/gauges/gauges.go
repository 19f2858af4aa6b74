package gauges

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/moment"
)

// every is how often the objects are counted: as often as Prometheus asks by its default.
const every = 15 * time.Second

// Gauges are kept by the leader alone. They implement manager.Runnable.
type Gauges struct {
	cache client.Reader
	clock clock.WithTicker
	shown *moment.Gauges[gauges]
}

type gauges struct {
	moment.Together
	servers, blocked, waiting, pending, longest *prometheus.GaugeVec
	oldest, stopped, seesNot                    prometheus.Gauge
}

func blank() gauges {
	g := gauges{
		servers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "argosy_vm_servers", Help: "Servers by phase and machine driver.",
		}, []string{"phase", "driver"}),
		blocked: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "argosy_vm_tasks_blocked", Help: "Tasks of Servers that failed for good, by type: a person must decide.",
		}, []string{"type"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "argosy_vm_operations_waiting",
			Help: "Operations of Servers that do not go on, by kind and reason: Approval, Blocked, Retry.",
		}, []string{"kind", "reason"}),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "argosy_vm_pending_approvals", Help: "Operations that wait for a person, by the stage of their gate.",
		}, []string{"stage"}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "argosy_vm_oldest_approval_seconds",
			Help: "For how long the operation has waited for a person that has waited longest; 0: none waits.",
		}),
		longest: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "argosy_vm_longest_operation_seconds",
			Help: "By kind, for how long the operation goes on that goes on longest, and waits for nobody.",
		}, []string{"kind"}),
		stopped: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "argosy_vm_remediation_blocked", Help: "VMReplicaSets of which nobody is failed over: too many servers are unhealthy at once.",
		}),
		seesNot: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "argosy_vm_prober_blind",
			Help: "VMReplicaSets of which so many servers fail or are silent at once that nobody is taken out for it.",
		}),
	}
	g.Together = moment.Together{g.servers, g.blocked, g.waiting, g.pending, g.longest, g.oldest, g.stopped, g.seesNot}
	return g
}

// New makes the gauges and registers them.
func New(cache client.Reader, ticks clock.WithTicker, registerer prometheus.Registerer) (*Gauges, error) {
	g := &Gauges{cache: cache, clock: ticks, shown: moment.New(blank)}
	if err := registerer.Register(g.shown); err != nil {
		return nil, fmt.Errorf("registering the metrics of Servers: %w", err)
	}
	return g, nil
}

// Start counts now and then, until the context ends.
func (g *Gauges) Start(ctx context.Context) error {
	ticker := g.clock.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := g.look(ctx); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Counting Servers")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

func (g *Gauges) look(ctx context.Context) error {
	sets, servers := &v1alpha1.VMReplicaSetList{}, &v1alpha1.ServerList{}
	if err := g.cache.List(ctx, sets, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing VMReplicaSets: %w", err)
	}
	if err := g.cache.List(ctx, servers, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing Servers: %w", err)
	}
	deployments := &v1alpha1.VMDeploymentList{}
	if err := g.cache.List(ctx, deployments, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing VMDeployments: %w", err)
	}
	n := count(sets.Items, deployments.Items, servers.Items, g.clock.Now())
	next := g.shown.Blank()
	for key, value := range n.servers {
		next.servers.WithLabelValues(key.phase, key.driver).Set(float64(value))
	}
	for kind, value := range n.blocked {
		next.blocked.WithLabelValues(kind).Set(float64(value))
	}
	for key, value := range n.waiting {
		next.waiting.WithLabelValues(key.kind, key.reason).Set(float64(value))
	}
	for stage, value := range n.pending {
		next.pending.WithLabelValues(stage).Set(float64(value))
	}
	for kind, value := range n.longest {
		next.longest.WithLabelValues(kind).Set(value.Seconds())
	}
	next.oldest.Set(n.oldest.Seconds())
	next.stopped.Set(float64(n.stopped))
	next.seesNot.Set(float64(n.blind))
	g.shown.Show(next)
	return nil
}
