package main

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/internal/owners"
	"github.com/argosy-dev/argosy/internal/program"
)

// TestMetricsPage holds docs/reference/metrics.md against what this program registers when all its controllers are set up: nothing missing, nothing too much.
// What libraries export beside it, test/e2e/install reads from the running program.
func TestMetricsPage(t *testing.T) {
	registry := fixture.NewRegistry()
	before := metrics.Registry
	metrics.Registry = registry
	t.Cleanup(func() { metrics.Registry = before })
	scheme, err := program.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is started, so nobody is asked.
	mgr, err := ctrl.NewManager(&rest.Config{Host: "http://127.0.0.1:1"}, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
			return testrestmapper.TestOnlyStaticRESTMapper(scheme), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := owners.AddIndexes(t.Context(), mgr.GetFieldIndexer()); err != nil {
		t.Fatal(err)
	}
	for _, c := range controllers(config.DefaultControllerManager()) {
		if err := c.add(t.Context(), mgr, c.section); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	want := fixture.MetricsPage(t, "../..")["argosy-controller-manager"]
	maps.DeleteFunc(want, func(name string, _ fixture.Metric) bool { return !strings.HasPrefix(name, "argosy_") })
	if diff := cmp.Diff(want, registry.Metrics(t)); diff != "" {
		t.Errorf("metrics (-page +program):\n%s", diff)
	}
}
