package main

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/fixture"
)

// TestMetricsPage holds docs/reference/metrics.md against what this program registers when all its controllers are set up: nothing missing,
// nothing too much. What libraries export beside it, test/e2e/install reads from the running program.
func TestMetricsPage(t *testing.T) {
	registry, mgr := fixture.NewManager(t)
	if err := autoscalers.AddIndexes(t.Context(), mgr.GetFieldIndexer()); err != nil {
		t.Fatal(err)
	}
	for _, c := range controllers(config.DefaultControllerManager()) {
		if err := c.Add(t.Context(), mgr, c.Section); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
	}
	want := fixture.MetricsPage(t, "../..")["argosy-controller-manager"]
	maps.DeleteFunc(want, func(name string, _ fixture.Metric) bool { return !strings.HasPrefix(name, "argosy_") })
	if diff := cmp.Diff(want, registry.Metrics(t)); diff != "" {
		t.Errorf("metrics (-page +program):\n%s", diff)
	}
}
