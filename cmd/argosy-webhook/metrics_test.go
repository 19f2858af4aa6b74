package main

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/internal/fixture"
)

// TestMetricsPage holds docs/reference/metrics.md against what this program registers when all it serves is set up: nothing missing,
// nothing too much. What libraries export beside it, test/e2e/install reads from the running program.
func TestMetricsPage(t *testing.T) {
	registry, mgr := fixture.NewManager(t)
	for _, h := range handlers() {
		if _, err := h.setup(mgr); err != nil {
			t.Fatalf("%s: %v", h.path, err)
		}
	}
	want := fixture.MetricsPage(t, "../..")["argosy-webhook"]
	maps.DeleteFunc(want, func(name string, _ fixture.Metric) bool { return !strings.HasPrefix(name, "argosy_") })
	if diff := cmp.Diff(want, registry.Metrics(t)); diff != "" {
		t.Errorf("metrics (-page +program):\n%s", diff)
	}
}
