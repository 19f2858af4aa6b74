// Package conditions tells of the conditions of Argosy's objects where they last: for metrics it counts how many objects say what, and for
// how long the one that says it longest has, and for events it remembers what has lasted without a word. It decides nothing, reads a
// manager's cache, and writes gauges. An alert can only ask for what lasts where something is exported while it lasts.
package conditions

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/moment"
)

// every is how often the objects are looked at: as often as Prometheus asks by its default.
const every = 15 * time.Second

// Kind is one kind of object with conditions.
type Kind struct {
	Name string
	// Reader lists them; nil is that of the gauges.
	Reader client.Reader
	// List is a new list of them.
	List func() client.ObjectList
	// Conditions of one object, nil for any other.
	Conditions func(runtime.Object) []metav1.Condition
}

// Gauges are kept by the leader alone. They implement manager.Runnable.
type Gauges struct {
	reader client.Reader
	clock  clock.WithTicker
	kinds  []Kind
	shown  *moment.Gauges[gauges]
}

type gauges struct {
	moment.Together
	objects, oldest *prometheus.GaugeVec
}

func blank() gauges {
	g := gauges{
		objects: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "argosy_conditions_objects", Help: "Objects by what a condition of theirs says.",
		}, []string{"kind", "condition", "status", "reason"}),
		oldest: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "argosy_conditions_oldest_seconds", Help: "For how long the object has said so of a condition that has said it longest.",
		}, []string{"kind", "condition", "status"}),
	}
	g.Together = moment.Together{g.objects, g.oldest}
	return g
}

// New makes the gauges of kinds and registers them.
func New(reader client.Reader, ticks clock.WithTicker, registerer prometheus.Registerer, kinds []Kind) (*Gauges, error) {
	g := &Gauges{reader: reader, clock: ticks, kinds: kinds, shown: moment.New(blank)}
	if err := registerer.Register(g.shown); err != nil {
		return nil, fmt.Errorf("registering the metrics of conditions: %w", err)
	}
	return g, nil
}

// Start looks at all objects now and then, until the context ends.
func (g *Gauges) Start(ctx context.Context) error {
	ticker := g.clock.NewTicker(every)
	defer ticker.Stop()
	for {
		g.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// said is what a condition says.
type said struct{ kind, condition, status, reason string }

// look counts anew. A kind that cannot be listed has no numbers: old ones would go on saying that all is well.
func (g *Gauges) look(ctx context.Context) {
	count, oldest := map[said]int{}, map[said]float64{}
	for _, kind := range g.kinds {
		list, reader := kind.List(), kind.Reader
		if reader == nil {
			reader = g.reader
		}
		if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			if ctx.Err() == nil && !meta.IsNoMatchError(err) {
				klog.FromContext(ctx).Error(err, "Listing objects for their conditions", "kind", kind.Name)
			}
			continue
		}
		_ = meta.EachListItem(list, func(o runtime.Object) error {
			for _, c := range kind.Conditions(o) {
				count[said{kind.Name, c.Type, string(c.Status), c.Reason}]++
				key := said{kind.Name, c.Type, string(c.Status), ""}
				oldest[key] = max(oldest[key], g.clock.Since(c.LastTransitionTime.Time).Seconds())
			}
			return nil
		})
	}
	next := g.shown.Blank()
	for s, n := range count {
		next.objects.WithLabelValues(s.kind, s.condition, s.status, s.reason).Set(float64(n))
	}
	for s, seconds := range oldest {
		next.oldest.WithLabelValues(s.kind, s.condition, s.status).Set(seconds)
	}
	g.shown.Show(next)
}
