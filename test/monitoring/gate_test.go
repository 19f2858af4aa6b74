package monitoring

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/tsdb"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"
)

var update = flag.Bool("update", false, "write the answers that migration's health gate is tested with")

// answers of a real Prometheus; internal/gate/prometheus/gate_test.go serves the very same files to the gate.
const answers = root + "/internal/gate/prometheus/testdata"

// TestAnswersOfPrometheus asks the HTTP API of Prometheus itself what a gate asks, and holds its answers against the
// files that the gate is tested with: the gate cannot come to understand what no Prometheus says.
func TestAnswersOfPrometheus(t *testing.T) {
	server := newPrometheus(t)
	for name, tc := range map[string]struct {
		query  string
		status int
	}{
		"nothing":      {query: `errors{app="web"} > 100`, status: http.StatusOK},
		"zeroes":       {query: `errors{app="well"}`, status: http.StatusOK},
		"a-sample":     {query: `errors{app="web"} > 0`, status: http.StatusOK},
		"not-a-number": {query: `scalar(errors{app="nobody"})`, status: http.StatusOK},
		"a-scalar":     {query: `scalar(errors{app="web"})`, status: http.StatusOK},
		"a-range":      {query: `errors{app="web"}[5m]`, status: http.StatusOK},
		"a-string":     {query: `"web"`, status: http.StatusOK},
		"a-bad-query":  {query: `errors{`, status: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := http.Get(server + "/api/v1/query?" + url.Values{"query": {tc.query}, "time": {"1772445600"}}.Encode())
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			got, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != tc.status {
				t.Fatalf("HTTP %d: %s", response.StatusCode, got)
			}
			path := filepath.Join(answers, name+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got) {
				t.Errorf("Prometheus answers\n%s\nand the gate is tested with\n%s", got, want)
			}
		})
	}
}

// newPrometheus serves Prometheus's own API over a store with a few samples of one moment.
func newPrometheus(t *testing.T) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := tsdb.Open(t.TempDir(), log, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	appender := store.Appender(t.Context())
	for app, value := range map[string]float64{"web": 0.25, "well": 0} {
		if _, err := appender.Append(0, labels.FromStrings("__name__", "errors", "app", app), at.UnixMilli(), value); err != nil {
			t.Fatal(err)
		}
	}
	if err := appender.Commit(); err != nil {
		t.Fatal(err)
	}
	engine := promql.NewEngine(promql.EngineOpts{Logger: log, MaxSamples: 1000, Timeout: time.Minute})
	api := apiv1.NewAPI(engine, store, nil, nil,
		func(context.Context) apiv1.ScrapePoolsRetriever { return nil },
		func(context.Context) apiv1.TargetRetriever { return nil },
		func(context.Context) apiv1.AlertmanagerRetriever { return nil },
		func() config.Config { return config.DefaultConfig }, nil, apiv1.GlobalURLOptions{},
		func(next http.HandlerFunc) http.HandlerFunc { return next }, nil, "", false, log,
		func(context.Context) apiv1.RulesRetriever { return nil }, 0, 0, 0, false, nil, nil, nil, nil, nil,
		prometheus.NewRegistry(), prometheus.NewRegistry(), nil, false, nil, false, false, false, false, 5*time.Minute, false, nil)
	router := route.New()
	api.Register(router.WithPrefix("/api/v1"))
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return server.URL
}
