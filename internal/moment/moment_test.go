package moment

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

type pair struct {
	Together
	waiting, all *prometheus.GaugeVec
}

func blank() pair {
	p := pair{
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waiting", Help: "Those that wait."}, []string{"member"}),
		all:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "all", Help: "All."}, []string{"member"}),
	}
	p.Together = Together{p.waiting, p.all}
	return p
}

// TestScrapedInBetween: who scrapes while the next moment is counted sees the one before, whole.
func TestScrapedInBetween(t *testing.T) {
	gauges, registry := New(blank), prometheus.NewPedanticRegistry()
	if err := registry.Register(gauges); err != nil {
		t.Fatal(err)
	}
	scrape := func(want string) {
		t.Helper()
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
	}
	scrape("")
	first := gauges.Blank()
	first.waiting.WithLabelValues("member1").Set(1)
	first.all.WithLabelValues("member1").Set(3)
	scrape("")
	gauges.Show(first)
	const before = `
# HELP all All.
# TYPE all gauge
all{member="member1"} 3
# HELP waiting Those that wait.
# TYPE waiting gauge
waiting{member="member1"} 1
`
	scrape(before)
	next := gauges.Blank()
	scrape(before)
	next.all.WithLabelValues("member2").Set(2)
	scrape(before)
	gauges.Show(next)
	scrape(`
# HELP all All.
# TYPE all gauge
all{member="member2"} 2
`)
}
