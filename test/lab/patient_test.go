package lab

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPatient(t *testing.T) {
	for name, tc := range map[string]struct {
		// answers in order; the last one is given for ever.
		answers []string
		passes  passing
		want    string
	}{
		"an answer":                  {answers: []string{"200 yes"}, want: "200 yes after 1"},
		"a refusal":                  {answers: []string{"403 no", "200 yes"}, want: "403 no after 1"},
		"a conflict":                 {answers: []string{"409 no", "200 yes"}, want: "409 no after 1"},
		"a fault":                    {answers: []string{"500 a panic", "200 yes"}, want: "500 a panic after 1"},
		"etcd was slow":              {answers: []string{"500 etcdserver: request timed out", "200 yes"}, want: "200 yes after 2"},
		"a webhook was slow, twice":  {answers: []string{"500 failed calling webhook", "500 failed calling webhook", "200 yes"}, want: "200 yes after 3"},
		"not served yet, then no":    {answers: []string{"503 wait", "403 no"}, want: "403 no after 2"},
		"a timeout of the server":    {answers: []string{"504 late", "200 yes"}, want: "200 yes after 2"},
		"the connection was cut off": {answers: []string{"0 cut", "200 yes"}, want: "200 yes after 2"},

		"only the slow: a webhook was slow":    {answers: []string{"500 failed calling webhook: context deadline exceeded", "200 yes"}, passes: isLate, want: "200 yes after 2"},
		"only the slow: no webhook is there":   {answers: []string{"500 failed calling webhook: connection refused", "200 yes"}, passes: isLate, want: "500 failed calling webhook: connection refused after 1"},
		"only the slow: a refusal of the late": {answers: []string{"403 context deadline exceeded", "200 yes"}, passes: isLate, want: "403 context deadline exceeded after 1"},
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
			response, err := (&patient{next: http.DefaultTransport, passes: tc.passes, pause: 1}).RoundTrip(request)
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
		})
	}
}
