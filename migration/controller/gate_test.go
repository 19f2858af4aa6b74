package controller

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate/prometheus"
	"github.com/argosy-dev/argosy/migration/plan"
)

// TestASilentPrometheusIsNoGoodNews: what it does not say, and where it says nothing at all, holds every cluster of the application back.
func TestASilentPrometheusIsNoGoodNews(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		closed bool
		want   string
	}{
		"zero":       {answer: `[{"metric":{},"value":[1772445600,"0"]}]`},
		"not zero":   {answer: `[{"metric":{},"value":[1772445600,"0.25"]}]`, want: "Prometheus says 0.25"},
		"no sample":  {answer: `[]`, want: "Prometheus has no sample"},
		"no sense":   {answer: `<html>log in`, want: "Prometheus did not answer: "},
		"not there":  {closed: true, want: "Prometheus did not answer: "},
		"not number": {answer: `[{"metric":{},"value":[1772445600,"NaN"]}]`, want: "NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(out, `{"status":"success","data":{"resultType":"vector","result":%s}}`, tc.answer)
			}))
			t.Cleanup(server.Close)
			if tc.closed {
				server.Close()
			}
			world := &plan.World{Clusters: map[string]plan.Cluster{"a": {}, "b": {}, "other": {}}}
			world.Status.Clusters = []v1alpha1.ClusterStatus{{Name: "a"}, {Name: "b"}, {Name: "gone"}}
			world.Strategy.Prometheus = &gatev1alpha1.PrometheusGate{Address: server.URL, Query: "errors"}
			(&Controller{Gates: &prometheus.Gates{}}).gate(t.Context(), world)
			for _, cluster := range []string{"a", "b"} {
				got := world.Clusters[cluster].Unwell
				if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
					t.Errorf("of %s: %q, want %q", cluster, got, tc.want)
				}
			}
			if got := world.Clusters["other"].Unwell; got != "" || len(world.Clusters) != 3 {
				t.Errorf("a cluster the application is not in: %q, of %d", got, len(world.Clusters))
			}
		})
	}
}
