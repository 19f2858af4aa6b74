package monitoring

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	config_util "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/http"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
)

// answer is what argosy-member-manager says of a set's servers; member/vm/monitor holds its handler against the same file.
const answer = root + "/member/vm/monitor/testdata/targets.json"

// TestPrometheusFindsServers gives that answer to Prometheus' own discovery, and lets its own scrape read the targets: who is in it is
// scraped, at the address, port and path it says, with the labels it says, and who left it is scraped no more.
func TestPrometheusFindsServers(t *testing.T) {
	text, err := os.ReadFile(answer)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 1)
	told <- string(text)
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := <-told
		told <- now
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, now)
	}))
	t.Cleanup(manager.Close)
	machines := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "asked{host=%q,path=%q} 1\n", r.Host, r.URL.Path)
	}))
	t.Cleanup(machines.Close)
	p := startPrometheus(t, manager.URL+"/sd/shop/web", machines.Listener.Addr().String())

	p.waitFor(t,
		`{__name__="asked", app_kubernetes_io_name="web", host="10.0.0.1:8081", instance="10.0.0.1:8081", job="shop", monitor="app", `+
			`namespace="shop", path="/actuator/prometheus", server="web-1", set="web", team="shop"}`,
		`{__name__="asked", host="10.0.0.1:9100", instance="10.0.0.1:9100", job="shop", monitor="node", namespace="shop", path="/metrics", `+
			`server="web-1", set="web", template="linux"}`,
		`{__name__="asked", host="[fd00::2]:9100", instance="[fd00::2]:9100", job="shop", monitor="node", namespace="shop", path="/metrics", `+
			`server="web-2", set="web", template="linux"}`)

	// web-1 is taken out: its targets go, and those of web-2 stay.
	<-told
	lines := strings.Index(string(text), `{"targets":["[fd00::2]`)
	told <- "[" + string(text)[lines:]
	p.waitForTargets(t, "[fd00::2]:9100")
	<-told
	told <- "[]"
	p.waitForTargets(t)
}

type running struct {
	store   *tsdb.DB
	targets *scrape.Manager
}

// startPrometheus with the discovery at url; whatever it scrapes it reaches at address.
func startPrometheus(t *testing.T, url, address string) running {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	cfg, err := config.Load(fmt.Sprintf(`
scrape_configs:
- job_name: shop
  scrape_interval: 100ms
  scrape_timeout: 100ms
  http_sd_configs: [{url: %q, refresh_interval: 100ms}]
  relabel_configs:
  - {source_labels: [__meta_argosy_template], regex: (linux), target_label: template}
`, url), log)
	if err != nil {
		t.Fatal(err)
	}
	store, err := tsdb.Open(t.TempDir(), log, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	measures, err := discovery.CreateAndRegisterSDMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	finds := discovery.NewManager(ctx, log, registry, measures, discovery.Updatert(50*time.Millisecond))
	scrapes, err := scrape.NewManager(&scrape.Options{
		DiscoveryReloadInterval: model.Duration(50 * time.Millisecond),
		HTTPClientOptions: []config_util.HTTPClientOption{
			config_util.WithDialContextFunc(func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", address)
			}),
		},
	}, log, nil, store, registry)
	if err != nil {
		t.Fatal(err)
	}
	if err := scrapes.ApplyConfig(cfg); err != nil {
		t.Fatal(err)
	}
	if err := finds.ApplyConfig(map[string]discovery.Configs{"shop": cfg.ScrapeConfigs[0].ServiceDiscoveryConfigs}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	go func() { done <- finds.Run() }()
	go func() { done <- scrapes.Run(finds.SyncCh()) }()
	t.Cleanup(func() {
		cancel()
		scrapes.Stop()
		<-done
		<-done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return running{store: store, targets: scrapes}
}

// waitFor these series of the metric that all machines serve.
func (r running) waitFor(t *testing.T, want ...string) {
	t.Helper()
	var have []string
	wait(t, func() bool {
		have = r.series(t)
		return slices.Equal(have, want)
	}, func() string {
		return fmt.Sprintf("series\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	})
}

func (r running) series(t *testing.T) []string {
	t.Helper()
	querier, err := r.store.Querier(0, time.Now().Add(time.Hour).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer querier.Close()
	found := querier.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "asked"))
	var out []string
	for found.Next() {
		out = append(out, found.At().Labels().String())
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// waitForTargets until Prometheus scrapes these and no others.
func (r running) waitForTargets(t *testing.T, want ...string) {
	t.Helper()
	var have []string
	wait(t, func() bool {
		have = nil
		for _, all := range r.targets.TargetsActive() {
			for _, one := range all {
				have = append(have, one.URL().Host)
			}
		}
		slices.Sort(have)
		return slices.Equal(have, want)
	}, func() string { return fmt.Sprintf("targets %q, want %q", have, want) })
}

func wait(t *testing.T, met func() bool, says func() string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for !met() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal(says())
		}
	}
}
