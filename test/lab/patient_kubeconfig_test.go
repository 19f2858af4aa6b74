package lab

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// TestPatientProxy: whoever asks through it sees neither a trouble of the machine nor that it was asked again; a refusal it sees.
func TestPatientProxy(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		asked++
		body, err := io.ReadAll(in.Body)
		switch {
		case err != nil || string(body) != "question":
			t.Errorf("asked %q, %v", body, err)
		case asked == 1:
			http.Error(out, "etcdserver: request timed out", http.StatusInternalServerError)
		case in.URL.Path == "/refused":
			http.Error(out, "no", http.StatusForbidden)
		default:
			fmt.Fprintf(out, "yes to %s?%s as %s", in.URL.Path, in.URL.RawQuery, in.Header.Get("Impersonate-User"))
		}
	}))
	defer server.Close()
	handler, err := patientProxy(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(handler)
	defer proxy.Close()
	for _, tc := range []struct{ path, want string }{
		{"/apis/x?timeout=5s", "200 yes to /apis/x?timeout=5s as alice after 2"},
		{"/refused", "403 no\n after 3"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, proxy.URL+tc.path, strings.NewReader("question"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Impersonate-User", "alice")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if got := fmt.Sprintf("%d %s after %d", response.StatusCode, body, asked); err != nil || got != tc.want {
			t.Errorf("%s: got %q, %v, want %q", tc.path, got, err, tc.want)
		}
	}
}
