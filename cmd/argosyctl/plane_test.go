package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// TestARefusedWayIsSaidInTheServersWords: discovery would make "unknown" of it.
func TestARefusedWayIsSaidInTheServersWords(t *testing.T) {
	const refusal = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"no right to clusters/proxy",` +
		`"reason":"Forbidden","details":{"name":"member1","group":"cluster.karmada.io","kind":"clusters"},"code":403}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/member1/") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, refusal)
			return
		}
		_, _ = io.WriteString(w, `{"major":"1","minor":"35"}`)
	}))
	defer server.Close()
	err := reachable(&rest.Config{Host: server.URL + "/member1"})
	if err == nil || !strings.Contains(err.Error(), "no right to clusters/proxy") {
		t.Errorf("refused: %v", err)
	}
	if err := reachable(&rest.Config{Host: server.URL + "/member2"}); err != nil {
		t.Errorf("let in: %v", err)
	}
}

// TestRequestsWaitForNobody: what a command reads grows with the federation, and client-go's own limit is five requests a second.
func TestRequestsWaitForNobody(t *testing.T) {
	flags := genericclioptions.NewConfigFlags(false)
	flags.APIServer = ptr.To("https://karmada-apiserver:5443")
	config, err := restConfig(flags)
	if err != nil || config.QPS != -1 {
		t.Errorf("%+v, %v: want requests without a limit", config, err)
	}
}
