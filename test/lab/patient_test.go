package lab

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What an API server says, as JSON, of webhooks that failed.
const (
	failing    = `500 {"message":"Internal error occurred: failed calling webhook `
	late       = `failed to call webhook: Post \"https://localhost:1\": context deadline exceeded"}`
	kruises    = failing + `\"vcloneset.kb.io\": ` + late
	oursFailed = failing + `\"cutoff.migration.argosy.dev\": an error on the server (\"\") has prevented the request from succeeding"}`
	oursFault  = `500 {"message":"admission webhook \"cutoff.migration.argosy.dev\" denied the request: reading whitelists: context canceled"}`
	oursLate   = failing + `\"cutoff.migration.argosy.dev\": ` + late
)

func TestPatient(t *testing.T) {
	for name, tc := range map[string]struct {
		// answers in order; the last one is given for ever.
		answers []string
		passes  passing
		// still is a machine that stood still meanwhile.
		still  bool
		want   string
		faults int
	}{
		"an answer":                  {answers: []string{"200 yes"}, want: "200 yes after 1"},
		"a refusal":                  {answers: []string{"403 no", "200 yes"}, want: "403 no after 1"},
		"a conflict":                 {answers: []string{"409 no", "200 yes"}, want: "409 no after 1"},
		"a fault":                    {answers: []string{"500 a panic", "200 yes"}, want: "500 a panic after 1"},
		"etcd was slow":              {answers: []string{"500 etcdserver: request timed out", "200 yes"}, want: "200 yes after 2"},
		"a webhook was slow, twice":  {answers: []string{kruises, kruises, "200 yes"}, want: "200 yes after 3"},
		"not served yet, then no":    {answers: []string{"503 wait", "403 no"}, want: "403 no after 2"},
		"a timeout of the server":    {answers: []string{"504 late", "200 yes"}, want: "200 yes after 2"},
		"the connection was cut off": {answers: []string{"0 cut", "200 yes"}, want: "200 yes after 2"},

		"ours failed":                {answers: []string{oursFailed, "200 yes"}, want: oursFailed + " after 1", faults: 1},
		"ours answered with a fault": {answers: []string{oursFault, "200 yes"}, want: oursFault + " after 1", faults: 1},
		"ours refused": {
			answers: []string{"403 admission webhook \"cutoff.migration.argosy.dev\" denied the request: no"},
			want:    "403 admission webhook \"cutoff.migration.argosy.dev\" denied the request: no after 1",
		},
		"ours was late": {answers: []string{oursLate, "200 yes"}, want: oursLate + " after 1", faults: 1},
		"ours was late while the machine stood still": {answers: []string{oursLate, "200 yes"}, still: true, want: "200 yes after 2"},
		"ours failed while the machine stood still": {
			answers: []string{oursFailed, "200 yes"}, still: true, want: oursFailed + " after 1", faults: 1,
		},
		"a fault in a body that is not JSON": {
			answers: []string{"500 failed calling webhook \"cutoff.migration.argosy.dev\": EOF"},
			want:    "500 failed calling webhook \"cutoff.migration.argosy.dev\": EOF after 1", faults: 1,
		},
		"only the slow: ours was late, nothing stood still": {
			answers: []string{oursLate, "200 yes"}, passes: isLate, want: oursLate + " after 1", faults: 1,
		},

		"only the slow: a webhook was slow": {
			answers: []string{"500 failed calling webhook: context deadline exceeded", "200 yes"}, passes: isLate, want: "200 yes after 2",
		},
		"only the slow: no webhook is there": {
			answers: []string{"500 failed calling webhook: connection refused", "200 yes"}, passes: isLate,
			want: "500 failed calling webhook: connection refused after 1",
		},
		"only the slow: a refusal of the late": {
			answers: []string{"403 context deadline exceeded", "200 yes"}, passes: isLate, want: "403 context deadline exceeded after 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
				answer := tc.answers[min(asked, len(tc.answers)-1)]
				asked++
				if body, err := io.ReadAll(in.Body); err != nil || string(body) != "question" {
					t.Errorf("asked %q, %v", body, err)
				}
				var code int
				if _, err := fmt.Sscanf(answer, "%d", &code); err != nil {
					t.Error(err)
				}
				if code == 0 {
					panic(http.ErrAbortHandler)
				}
				out.WriteHeader(code)
				fmt.Fprint(out, answer[4:])
			}))
			defer server.Close()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL, strings.NewReader("question"))
			if err != nil {
				t.Fatal(err)
			}
			if tc.passes == nil {
				tc.passes = isPassing
			}
			counted := newCounts()
			response, err := (&patient{next: http.DefaultTransport, passes: tc.passes, pause: 1, counts: counted,
				disturbed: func(time.Time, time.Time) bool { return tc.still }}).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%d %s after %d", response.StatusCode, body, asked); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			const me = "test/lab.TestPatient.func1"
			if got := counted.repeated[me].times; got != asked-1 {
				t.Errorf("%d repetitions were counted, want %d: %v", got, asked-1, counted.repeated)
			}
			if got := counted.failed[me].times; got != tc.faults {
				t.Errorf("%d faults of ours were counted, want %d: %v", got, tc.faults, counted.failed)
			}
		})
	}
}

// TestPatientBrokenAnswer: an answer that breaks off is asked for again where asking changes nothing, and told where it is not.
func TestPatientBrokenAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		method, query string
		passes        passing
		want          string
	}{
		"a list":            {method: http.MethodGet, passes: isPassing, want: "whole, <nil>, after 2"},
		"a write":           {method: http.MethodPut, passes: isPassing, want: "half, unexpected EOF, after 1"},
		"a watch":           {method: http.MethodGet, query: "?watch=true", passes: isPassing, want: "half, unexpected EOF, after 1"},
		"only the slow ask": {method: http.MethodGet, passes: isLate, want: "half, unexpected EOF, after 1"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
				if asked++; asked > 1 {
					fmt.Fprint(out, "whole")
					return
				}
				out.Header().Set("Content-Length", "100")
				fmt.Fprint(out, "half")
			}))
			defer server.Close()
			request, err := http.NewRequestWithContext(t.Context(), tc.method, server.URL+tc.query, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := (&patient{next: http.DefaultTransport, passes: tc.passes, pause: 1, counts: newCounts(),
				disturbed: func(time.Time, time.Time) bool { return false }}).RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if have := fmt.Sprintf("%s, %v, after %d", body, err, asked); have != tc.want {
				t.Errorf("%s, want %s", have, tc.want)
			}
		})
	}
}
