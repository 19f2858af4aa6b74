package lab

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/kubernetes/scheme"
)

// tests stands for a package's tests.
type tests func() int

func (run tests) Run() int { return run() }

func machineIsWell(time.Time, time.Time) bool { return false }

// TestJudge is the proof that a webhook of ours that fails once in twenty questions turns its package red, and a foreign one is only
// counted: the API server says what Kubernetes' own code says.
func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		webhook string
		// every so many questions the webhook answers with a fault.
		every int
		code  int
		want  string
		// refused questions, and the process' exit code.
		refused, exit int
	}{
		"all is well": {webhook: "whitelists.migration.argosy.dev", every: 1000},
		"ours fails one in twenty": {
			webhook: "whitelists.migration.argosy.dev", every: 20, refused: 5, exit: 1, want: "FAILED: a webhook of ours failed 5 times",
		},
		"a foreign one, one in twenty": {webhook: "vcloneset.kb.io", every: 20, want: "asked again 5 times"},
		"a foreign one, always":        {webhook: "vcloneset.kb.io", every: 1, refused: 100, want: "asked again 480 times"},
		"tests that failed themselves": {
			webhook: "whitelists.migration.argosy.dev", every: 20, code: 2, refused: 5, exit: 2, want: "FAILED: a webhook of ours failed 5 times",
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
				if asked++; asked%tc.every != 0 {
					out.WriteHeader(http.StatusOK)
					return
				}
				failed := &webhookutil.ErrCallingWebhook{
					WebhookName: tc.webhook, Reason: errors.New(`an error on the server ("") has prevented the request from succeeding`),
				}
				responsewriters.ErrorNegotiated(apierrors.NewInternalError(failed), scheme.Codecs, corev1.SchemeGroupVersion, out, in)
			}))
			defer server.Close()
			counted := newCounts()
			client := &http.Client{
				Transport: &patient{next: http.DefaultTransport, passes: isPassing, pause: 1, counts: counted, disturbed: machineIsWell},
			}
			refused := 0
			var out bytes.Buffer
			file := filepath.Join(t.TempDir(), "retries.txt")
			exit := counted.judge(tests(func() int {
				for range 100 {
					response, err := client.Get(server.URL)
					if err != nil {
						t.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, response.Body)
					response.Body.Close()
					if response.StatusCode != http.StatusOK {
						refused++
					}
				}
				return tc.code
			}), &out, file)
			if exit != tc.exit || refused != tc.refused {
				t.Errorf("exit code %d after %d refusals, want %d after %d", exit, refused, tc.exit, tc.refused)
			}
			if !strings.Contains(out.String(), tc.want) || tc.want == "" && out.Len() != 0 {
				t.Errorf("it said:\n%swant: %q", out.String(), tc.want)
			}
			if kept, err := os.ReadFile(file); string(kept) != out.String() || err != nil && tc.want != "" {
				t.Errorf("kept for the end of make test: %q, %v, want %q", kept, err, out.String())
			}
		})
	}
}
