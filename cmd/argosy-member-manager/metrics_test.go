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
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/fixture"
)

// TestMetricsPage holds docs/reference/metrics.md against what this program registers when all its controllers are set up.
func TestMetricsPage(t *testing.T) {
	registry, before := fixture.NewRegistry(), metrics.Registry
	metrics.Registry = registry
	t.Cleanup(func() { metrics.Registry = before })
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.DefaultMemberManager()
	options, err := managerOptions(scheme, cfg, "0")
	if err != nil {
		t.Fatal(err)
	}
	options.Metrics, options.HealthProbeBindAddress, options.LeaderElection = metricsserver.Options{BindAddress: "0"}, "0", false
	// A test that is repeated sets its controllers up again, and the library remembers names for as long as the process runs.
	options.Controller.SkipNameValidation = ptr.To(true)
	options.MapperProvider = func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
		return testrestmapper.TestOnlyStaticRESTMapper(scheme), nil
	}
	mgr, err := ctrl.NewManager(&rest.Config{Host: "http://127.0.0.1:1"}, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range controllers(cfg) {
		if err := c.Add(t.Context(), mgr, c.Section); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
	}
	want := fixture.MetricsPage(t, "../..")["argosy-member-manager"]
	maps.DeleteFunc(want, func(name string, _ fixture.Metric) bool { return !strings.HasPrefix(name, "argosy_") })
	if diff := cmp.Diff(want, registry.Metrics(t)); diff != "" {
		t.Errorf("metrics (-page +program):\n%s", diff)
	}
}
