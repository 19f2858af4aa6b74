package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/argosy-dev/argosy/estimator/plugins"
	"github.com/argosy-dev/argosy/estimator/server"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/fixture"
)

// TestMetricsPage holds docs/reference/metrics.md against what this program registers: nothing missing, nothing too much. What libraries
// export beside it, test/e2e/install reads from the running program.
func TestMetricsPage(t *testing.T) {
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["karmada"] = &clientcmdapi.Cluster{Server: "http://127.0.0.1:1"}
	kubeconfig.Contexts["karmada"] = &clientcmdapi.Context{Cluster: "karmada"}
	kubeconfig.CurrentContext = "karmada"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		t.Fatal(err)
	}
	p, err := build(config.DefaultEstimator(), &flagOptions{kubeconfig: path}, plugins.Registry())
	if err != nil {
		t.Fatal(err)
	}
	types := fixture.NewRegistry()
	server.NewMetrics(types)
	got := types.Metrics(t)
	registered := map[string]fixture.Metric{}
	for _, m := range fixture.Described(p.metrics) {
		// The members' are made when they are asked for; their type shows in the running program.
		m.Type = "gauge"
		if known, ok := got[m.Name]; ok {
			m.Type = known.Type
		}
		registered[m.Name] = m
	}
	want := map[string]fixture.Metric{}
	for name, m := range fixture.MetricsPage(t, "../..")["argosy-estimator"] {
		if strings.HasPrefix(name, "argosy_") {
			want[name] = m
		}
	}
	if diff := cmp.Diff(want, registered); diff != "" {
		t.Errorf("metrics (-page +program):\n%s", diff)
	}
}
