package program

import (
	"strings"
	"testing"
)

func TestBegin(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	p := Program{Name: "argosy-test", Cluster: "the member cluster"}
	begun, err := Begin(p, []string{"--config=a.yaml", "--pprof-bind-address=:6060", "-v=1"})
	if err != nil {
		t.Fatal(err)
	}
	if begun.Config != "a.yaml" || begun.Profiles != "127.0.0.1:6060" || !begun.Log.V(1).Enabled() || begun.Log.V(2).Enabled() {
		t.Errorf("began as %+v", begun)
	}
	if _, err := begun.Reach(); err == nil || !strings.Contains(err.Error(), "--kubeconfig is needed: the kubeconfig of the member cluster") {
		t.Errorf("got %v", err)
	}
	if begun, err = Begin(p, nil); err != nil || begun.Profiles != "" || begun.Config != "" {
		t.Errorf("without flags: %v, %+v", err, begun)
	}
	if _, err := Begin(p, []string{"a.yaml"}); err == nil || !strings.Contains(err.Error(), `"a.yaml" is no flag`) {
		t.Errorf("got %v", err)
	}
	t.Setenv("ARGOSY_MEMORY_LIMIT", "4Gi")
	if _, err := Begin(p, nil); err == nil || !strings.Contains(err.Error(), "ARGOSY_MEMORY_LIMIT") {
		t.Errorf("got %v", err)
	}
}
