package call

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAllowed(t *testing.T) {
	prefixes := []string{"https://gates.example.com/argosy", "https://bot.example.com:8443/"}
	for address, want := range map[string]string{
		"https://gates.example.com/argosy":              "",
		"https://GATES.example.com/argosy/a":            "",
		"https://bot.example.com:8443":                  "",
		"https://bot.example.com:8443/x/y":              "",
		"http://gates.example.com/argosy":               "must be https",
		"https://bob@gates.example.com/argosy":          "without a user",
		"https://gates.example.com/argosy2":             "host gates.example.com is not among gates.allowedURLs",
		"https://gates.example.com/argosy/../admin":     "must be plain",
		"https://gates.example.com/argosy/%2e%2e/admin": "must be plain",
		"https://gates.example.com.evil.org/argosy":     "host gates.example.com.evil.org is not among",
		"https://bot.example.com/":                      "host bot.example.com is not among",
		"https://169.254.169.254/latest":                "host 169.254.169.254 is not among",
		"://":                                           "reading the URL",
	} {
		if err := Allowed(address, prefixes); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	if Allowed("https://gates.example.com/", nil) == nil {
		t.Error("without allowed URLs something is allowed")
	}
}

// receiver answers with a function.
func receiver(t *testing.T, answer http.HandlerFunc) Receiver {
	t.Helper()
	server := httptest.NewTLSServer(answer)
	t.Cleanup(server.Close)
	return Receiver{
		URL: server.URL, Token: "secret", CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
}

var question = Waiting{Gate: "make", Stage: "Provision", OperationID: "op-1", Namespace: "shop", Set: "web", Server: "web-1"}

// TestAsk: one clear answer opens, and nothing else does.
func TestAsk(t *testing.T) {
	for name, tc := range map[string]struct {
		status   int
		kind     string
		body     string
		decision Decision
		err      string
	}{
		"approved":           {body: `{"operationID":"op-1","decision":"Approve","reason":"change 12"}`, decision: Approve},
		"rejected":           {body: `{"operationID":"op-1","decision":"Reject","reason":"frozen"}`, decision: Reject},
		"not yet":            {body: `{"operationID":"op-1","decision":"Wait"}`, decision: Wait},
		"more than is known": {body: `{"operationID":"op-1","decision":"Approve","ticket":7}`, decision: Approve},
		"another operation":  {body: `{"operationID":"op-0","decision":"Approve"}`, err: `about operation "op-0", and was asked about op-1`},
		"of no operation":    {body: `{"decision":"Approve"}`, err: `about operation ""`},
		"another word":       {body: `{"operationID":"op-1","decision":"yes"}`, err: `it decided "yes"`},
		"nothing":            {body: ``, err: "reading its answer"},
		"an empty object":    {body: `{}`, err: "about operation"},
		"a list":             {body: `[{"operationID":"op-1","decision":"Approve"}]`, err: "reading its answer"},
		"two answers":        {body: `{"operationID":"op-1","decision":"Approve"} {"operationID":"op-1"}`, err: "reading its answer"},
		"without a reason":   {body: `{"operationID":"op-1","decision":"Reject","reason":" "}`, err: "without a reason"},
		"a page":             {kind: "text/html", body: "<html>log in</html>", err: `Content-Type "text/html"`},
		"an answer as text":  {kind: "text/plain", body: `{"operationID":"op-1","decision":"Approve"}`, err: "Content-Type"},
		"an error":           {status: 500, body: `{"operationID":"op-1","decision":"Approve"}`, err: "it answered 500, want 200"},
		"created":            {status: 201, body: `{"operationID":"op-1","decision":"Approve"}`, err: "it answered 201, want 200"},
		"a redirect":         {status: 302, err: "it answered 302"},
		"no text":            {body: "\xff\xfe", err: "no text"},
		"without an end":     {body: strings.Repeat(" ", maxAnswer+1), err: "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			to := receiver(t, func(w http.ResponseWriter, r *http.Request) {
				var got Waiting
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil || got != question {
					t.Errorf("it was asked %+v: %v", got, err)
				}
				if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Idempotency-Key") != "op-1" {
					t.Errorf("headers %v", r.Header)
				}
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				if tc.kind != "" {
					w.Header().Set("Content-Type", tc.kind)
				}
				if tc.status == 302 {
					w.Header().Set("Location", "https://127.0.0.1:1/")
				}
				if tc.status != 0 {
					w.WriteHeader(tc.status)
				}
				_, _ = io.WriteString(w, tc.body)
			})
			have, err := Ask(t.Context(), to, question)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || have.Decision != "" {
					t.Errorf("%+v, %v; want %q", have, err, tc.err)
				}
				return
			}
			if err != nil || have.Decision != tc.decision {
				t.Errorf("%+v, %v; want %s", have, err, tc.decision)
			}
		})
	}
}

// TestNoAnswer: who hangs, is not there, or shows another's certificate says nothing.
func TestNoAnswer(t *testing.T) {
	done := make(chan struct{})
	hangs := receiver(t, func(http.ResponseWriter, *http.Request) { <-done })
	t.Cleanup(func() { close(done) })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, hangs, question); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who hangs: %v", err)
	}
	if _, err := Ask(t.Context(), Receiver{URL: "https://127.0.0.1:1/"}, question); err == nil {
		t.Error("nobody answered")
	}
	stranger := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	stranger.CA = nil
	if _, err := Ask(t.Context(), stranger, question); err == nil {
		t.Error("an unknown authority was believed")
	}
	stranger.CA = []byte("no certificate")
	if _, err := Ask(t.Context(), stranger, question); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("%v", err)
	}
}

func TestTell(t *testing.T) {
	for status, want := range map[int]bool{200: true, 202: true, 204: true, 301: false, 400: false, 503: false} {
		to := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if err := Tell(t.Context(), to, question); (err == nil) != want {
			t.Errorf("%d: %v", status, err)
		}
	}
}
