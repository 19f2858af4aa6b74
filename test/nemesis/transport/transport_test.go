package transport

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

// server counts what reaches it, and tells of each write to who watches.
func server(t *testing.T) (*rest.RESTClient, *Fault, *atomic.Int32) {
	t.Helper()
	var reached atomic.Int32
	tell := make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			select {
			case <-tell:
				_, _ = io.WriteString(w, "event\n")
			case <-r.Context().Done():
			}
			return
		}
		reached.Add(1)
		tell <- struct{}{}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
	}))
	t.Cleanup(s.Close)
	f := &Fault{Write: 2}
	config := f.Wrap(&rest.Config{Host: s.URL, QPS: -1, ContentConfig: rest.ContentConfig{
		GroupVersion: &schema.GroupVersion{Version: "v1"}, NegotiatedSerializer: scheme.Codecs.WithoutConversion(),
	}, APIPath: "/api"})
	c, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return c, f, &reached
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for kind, tc := range map[Kind]struct {
		right   func(error) bool
		reached int32
	}{
		Error:    {apierrors.IsInternalError, 1},
		Conflict: {apierrors.IsConflict, 1},
		Lost:     {func(err error) bool { return err != nil && strings.Contains(err.Error(), "unexpected EOF") }, 2},
		Late:     {func(err error) bool { return err == nil }, 2},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c, f, reached := server(t)
			f.Kind = kind
			put := func() error {
				return c.Put().Resource("things").Name("a").Body([]byte("{}")).Do(t.Context()).Error()
			}
			if err := put(); err != nil {
				t.Errorf("the first write: %v", err)
			}
			if f.Happened() {
				t.Error("it happened too early")
			}
			if err := put(); !tc.right(err) {
				t.Errorf("the second write: %v", err)
			}
			if got := reached.Load(); got != tc.reached {
				t.Errorf("%d writes reached the server, want %d", got, tc.reached)
			}
			if !f.Happened() {
				t.Error("it did not happen")
			}
			if err := put(); err != nil {
				t.Errorf("the third write: %v", err)
			}
		})
	}
}

func TestLateHoldsWhatIsWatched(t *testing.T) {
	t.Parallel()
	c, f, _ := server(t)
	f.Kind, f.Write = Late, 1
	stream, err := c.Get().Resource("things").Param("watch", "true").Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	begun := clock.RealClock{}.Now()
	if err := c.Put().Resource("things").Name("a").Body([]byte("{}")).Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stream, make([]byte, len("event\n"))); err != nil {
		t.Fatal(err)
	}
	if took := (clock.RealClock{}).Since(begun); took < lateFor-100*time.Millisecond {
		t.Errorf("the event came after %s", took)
	}
}

func TestWhatIsNoWrite(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"/apis/apps/v1/namespaces/a/deployments/b":                 true,
		"/api/v1/namespaces/a/events":                              false,
		"/apis/coordination.k8s.io/v1/namespaces/a/leases/b":       false,
		"/apis/apps/v1/namespaces/a/deployments/b?dryRun=All":      false,
		"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":   false,
		"/apis/autoscaling.argosy.dev/v1alpha1/cronhpas/a/status":  true,
		"/api/v1/namespaces/a/serviceaccounts/b/token":             false,
		"/apis/work.karmada.io/v1alpha2/namespaces/a/works?x=true": true,
	} {
		request := httptest.NewRequest(http.MethodPatch, url, nil)
		if got := isWrite(request); got != want {
			t.Errorf("%s: a write %t, want %t", url, got, want)
		}
	}
	if isWrite(httptest.NewRequest(http.MethodGet, "/apis/apps/v1/deployments", nil)) {
		t.Error("GET is no write")
	}
}
