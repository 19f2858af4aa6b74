package httpdeploy

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/deploy"
)

// company is a deploy system that keeps the contract.
type company struct {
	mu      sync.Mutex
	jobs    map[string]*Status
	fences  map[string]int64
	started int
	last    Deployment
	// instead answers, where it is set.
	instead http.HandlerFunc
}

func problem(w http.ResponseWriter, status int, p Problem) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p)
}

func (c *company) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := strings.TrimPrefix(r.URL.Path, "/deploys/v1/deployments/")
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	case c.instead != nil:
		c.instead(w, r)
		return
	case r.Method == http.MethodGet && c.jobs[id] == nil:
		problem(w, http.StatusNotFound, Problem{Code: NotFound, ID: id, Message: "there is none"})
		return
	case r.Method == http.MethodPost:
		var d Deployment
		if err := json.NewDecoder(r.Body).Decode(&d); err != nil || d.Version == "" {
			problem(w, http.StatusUnprocessableEntity, Problem{Code: Invalid, ID: id, Message: "a version is needed"})
			return
		}
		if d.Sequence < c.fences[d.Machine] {
			problem(w, http.StatusConflict, Problem{Code: Fenced, ID: id, Message: "late"})
			return
		}
		c.fences[d.Machine], c.last = d.Sequence, d
		if c.jobs[id] == nil {
			c.started++
			c.jobs[id] = &Status{ID: id, State: Running, Message: "copying"}
		}
	}
	_ = json.NewEncoder(w).Encode(c.jobs[id])
}

func newSystem(t *testing.T) (*company, *System) {
	t.Helper()
	c := &company{jobs: map[string]*Status{}, fences: map[string]int64{}}
	server := httptest.NewTLSServer(c)
	t.Cleanup(server.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	system, err := New(Options{
		URL: server.URL + "/deploys/", TokenFile: token, CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, system
}

func job(sequence int64) deploy.Job {
	return deploy.Job{
		ID: "op-a.deploy-code-1.0", Sequence: sequence, Server: "shop/web-1", Machine: "key-1",
		Release: v1alpha1.Release{Version: "2.0", Artifact: "registry/app", Params: map[string]v1alpha1.BoundedString{"slot": "blue"}},
	}
}

func TestADeployment(t *testing.T) {
	c, system := newSystem(t)
	see := func(want deploy.Progress) {
		t.Helper()
		have, err := system.Observe(t.Context(), job(1))
		if err != nil || have != want {
			t.Fatalf("%+v, %v; want %+v", have, err, want)
		}
	}
	see(deploy.Progress{State: deploy.Absent})
	for range 2 {
		if err := system.Start(t.Context(), job(2)); err != nil {
			t.Fatal(err)
		}
	}
	if c.started != 1 || c.last.Server != "shop/web-1" || c.last.Params["slot"] != "blue" || c.last.Sequence != 2 {
		t.Errorf("%d started, the last %+v", c.started, c.last)
	}
	see(deploy.Progress{State: deploy.Running, Message: "copying"})
	c.jobs[job(1).ID].State = Failed
	see(deploy.Progress{State: deploy.Failed, Message: "the deploy system says: copying"})
	c.jobs[job(1).ID].State = Succeeded
	see(deploy.Progress{State: deploy.Succeeded, Message: "copying"})
	if err := system.Start(t.Context(), job(1)); !errors.Is(err, deploy.ErrFenced) {
		t.Errorf("a lower sequence: %v", err)
	}
	nothing := job(3)
	nothing.Release.Version = ""
	if err := system.Start(t.Context(), nothing); !errors.Is(err, deploy.ErrInvalid) {
		t.Errorf("no version: %v", err)
	}
}

// TestNoKnowledge: what is not said in the contract's words says nothing.
func TestNoKnowledge(t *testing.T) {
	c, system := newSystem(t)
	for name, answer := range map[string]http.HandlerFunc{
		"a proxy's not found": func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"another's not found": func(w http.ResponseWriter, _ *http.Request) { problem(w, 404, Problem{Code: NotFound, ID: "x"}) },
		"a page":              func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"another deployment": func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(Status{ID: "x", State: Succeeded})
		},
		"a state of its own": func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(Status{ID: job(1).ID, State: "ok"})
		},
		"a redirect":          func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"too much":            func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxAnswer+1)) },
		"a broken connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		c.instead = answer
		if progress, err := system.Observe(t.Context(), job(1)); err == nil {
			t.Errorf("%s: %+v", name, progress)
		}
	}
}

func TestNew(t *testing.T) {
	for _, o := range []Options{{URL: "http://x"}, {URL: "https://"}, {URL: "https://x", CA: []byte("no")}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
