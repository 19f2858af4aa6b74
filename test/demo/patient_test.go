package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStopwatch: only stalls are left out; a federation that is slow is measured as such.
func TestStopwatch(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		looks []time.Duration
		want  time.Duration
	}{
		"looks in time": {[]time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second}, time.Second},
		"a stall":       {[]time.Duration{100 * time.Millisecond, 30 * time.Second, 30*time.Second + 200*time.Millisecond}, 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			watch, got := stopwatch{last: start}, time.Duration(0)
			for _, at := range tc.looks {
				got = watch.look(start.Add(at))
			}
			if got != tc.want {
				t.Errorf("measured %s, want %s", got, tc.want)
			}
		})
	}
}

// TestPatient: what came too late is asked again, what is refused is not, and both keep their words.
func TestPatient(t *testing.T) {
	for name, tc := range map[string]struct {
		code int
		body string
		want string
	}{
		"a webhook that is late": {500, "failed calling webhook: context deadline exceeded", "1"},
		"a webhook that refuses": {500, "failed calling webhook: connection refused", ""},
		"not allowed":            {403, "context deadline exceeded", ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.code)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer server.Close()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := patient{next: http.DefaultTransport}.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var body strings.Builder
			if _, err := io.Copy(&body, resp.Body); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tc.body, tc.want}, []string{body.String(), resp.Header.Get("Retry-After")}); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
