package reschedule

import (
	"context"
	"strconv"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// TestDue: what lacked replicas when the controller came is looked at at once, what begins to later once its pods can have waited long
// enough; a clock that is set back makes nothing wait for longer than an hour more.
func TestDue(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Unix(100000, 0))
	c := &Controller{clock: clk, cfg: config.DefaultControllerManager().Controllers.Reschedule, due: map[types.NamespacedName]time.Time{},
		said: map[types.NamespacedName]saying{}, measures: newMeasures()}
	early, late := types.NamespacedName{Name: "early"}, types.NamespacedName{Name: "late"}
	if left := c.untilDue(early); left != 0 {
		t.Errorf("at the start %s", left)
	}
	clk.Step(settling)
	if left := c.untilDue(late); left != 5*time.Minute {
		t.Errorf("later %s", left)
	}
	clk.Step(4 * time.Minute)
	if left := c.untilDue(late); left != time.Minute {
		t.Errorf("four minutes on %s", left)
	}
	clk.SetTime(clk.Now().Add(-24 * time.Hour))
	if left := c.untilDue(late); left > lookLongest+5*time.Minute {
		t.Errorf("after the clock was set back %s", left)
	}
	c.forget(late)
	if left := c.untilDue(late); left != 0 && left != 5*time.Minute {
		t.Errorf("once it lacks again %s", left)
	}
}

// TestShown: gauges say what is so now, and no room only where that was found.
func TestShown(t *testing.T) {
	m := newMeasures()
	m.show(map[types.NamespacedName]saying{
		{Name: "a"}: {verdict: decide.NoRoom, reason: "NoRoom", waiting: map[string]int32{"member1": 2}},
		{Name: "b"}: {verdict: decide.LeftAlone, reason: "PodsStay", waiting: map[string]int32{"member1": 3, "member2": 1}},
		{Name: "c"}: {verdict: decide.Nothing, reason: "NothingWaits"},
	})
	for name, tc := range map[string]struct {
		got  float64
		want float64
	}{
		"waiting in member1":      {value(t, m.shown.Now().waiting.WithLabelValues("member1")), 5},
		"waiting in member2":      {value(t, m.shown.Now().waiting.WithLabelValues("member2")), 1},
		"without room in member1": {value(t, m.shown.Now().without.WithLabelValues("member1")), 2},
		"without room in member2": {value(t, m.shown.Now().without.WithLabelValues("member2")), 0},
		"bindings, no room":       {value(t, m.shown.Now().bindings.WithLabelValues("NoRoom")), 1},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %g, want %g", name, tc.got, tc.want)
		}
	}
}

// TestScrapedMeanwhile: who scrapes while it is decided sees what was decided before, or after, and nothing between.
func TestScrapedMeanwhile(t *testing.T) {
	m, said := newMeasures(), map[types.NamespacedName]saying{}
	one := saying{verdict: decide.NoRoom, reason: "NoRoom", waiting: map[string]int32{"member1": 1}}
	for i := range 200 {
		said[types.NamespacedName{Name: strconv.Itoa(i)}] = one
	}
	registry := prometheus.NewRegistry()
	if err := m.register(registry); err != nil {
		t.Fatal(err)
	}
	m.show(said)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 200 {
			m.show(said)
		}
	}()
	for scraped := 0; scraped < 20 || !closed(ended); scraped++ {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetType() == dto.MetricType_GAUGE && family.GetMetric()[0].GetGauge().GetValue() != 200 {
				t.Fatalf("%s is %g of 200", family.GetName(), family.GetMetric()[0].GetGauge().GetValue())
			}
		}
	}
	<-ended
}

// TestShownTogether: what was decided of one binding has not all counted anew; they are counted once for all that changed.
func TestShownTogether(t *testing.T) {
	clk, m, registry := clocktesting.NewFakeClock(time.Unix(100000, 0)), newMeasures(), prometheus.NewRegistry()
	if err := m.register(registry); err != nil {
		t.Fatal(err)
	}
	c := &Controller{clock: clk, due: map[types.NamespacedName]time.Time{}, said: map[types.NamespacedName]saying{}, measures: m,
		events: record.NewFakeRecorder(100)}
	waits := decide.Decision{Verdict: decide.NoRoom, Reason: decide.ReasonNoRoom, Waiting: map[string]int32{"member1": 1}}
	keys := []types.NamespacedName{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	for _, key := range keys {
		c.say(key, &gathered{binding: &workv1alpha2.ResourceBinding{}}, waits)
	}
	c.forget(keys[2])
	if got := shownBindings(t, registry); got != 0 {
		t.Errorf("%g are counted before it is time", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.showing(ctx) }()
	gomega.NewWithT(t).Eventually(func() float64 {
		clk.Step(showEvery)
		return shownBindings(t, registry)
	}).Should(gomega.Equal(2.0))
	c.forget(keys[0])
	gomega.NewWithT(t).Eventually(func() float64 {
		clk.Step(showEvery)
		return shownBindings(t, registry)
	}).Should(gomega.Equal(1.0))
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func shownBindings(t *testing.T, registry *prometheus.Registry) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "argosy_reschedule_waiting_bindings" {
			for _, metric := range family.GetMetric() {
				sum += metric.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func value(t *testing.T, metric prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := metric.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetGauge().GetValue()
}
