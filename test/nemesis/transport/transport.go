package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

// Kind is how a write goes wrong.
type Kind string

// The ways in which a write can go wrong.
const (
	// Error: the API server fails at it, and nothing is written.
	Error Kind = "error"
	// Conflict: somebody else was first.
	Conflict Kind = "conflict"
	// Lost: it is written, and the answer never comes.
	Lost Kind = "lost response"
	// Late: it is written and answered, and what is watched stands still for a while after it.
	Late Kind = "late cache"
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{Error, Conflict, Lost, Late} }

// lateFor is how long a late cache stands still: longer than a controller takes to look again.
const lateFor = 1500 * time.Millisecond

// Fault is one write that goes wrong.
type Fault struct {
	// Kind is how, and Write which one, from 1; 0 is none.
	Kind  Kind
	Write int

	clock clock.Clock

	mu     sync.Mutex
	writes []string
	hit    bool
	until  time.Time
}

// Wrap is the same access, with the fault in it.
func (f *Fault) Wrap(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &tripper{fault: f, next: next} })
	return config
}

// Writes tells every write that came by.
func (f *Fault) Writes() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.writes...)
}

// Happened tells whether the write came by that was to go wrong.
func (f *Fault) Happened() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

func (f *Fault) now() clock.Clock {
	if f.clock == nil {
		return clock.RealClock{}
	}
	return f.clock
}

// meets counts a write, and tells whether it is the one.
func (f *Fault) meets(request *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = append(f.writes, request.Method+" "+request.URL.Path)
	if len(f.writes) != f.Write {
		return false
	}
	f.hit = true
	if f.Kind == Late {
		f.until = f.now().Now().Add(lateFor)
	}
	return true
}

// holds is for how long what is watched stands still.
func (f *Fault) holds() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.until.Sub(f.now().Now())
}

type tripper struct {
	fault *Fault
	next  http.RoundTripper
}

// RoundTrip carries a request out, or what is to become of it.
func (t *tripper) RoundTrip(request *http.Request) (*http.Response, error) {
	if !isWrite(request) || !t.fault.meets(request) {
		response, err := t.next.RoundTrip(request)
		if err == nil && request.URL.Query().Get("watch") != "" {
			response.Body = &watched{ReadCloser: response.Body, fault: t.fault}
		}
		return response, err
	}
	switch t.fault.Kind {
	case Error:
		return answer(request, http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcdserver: request timed out")
	case Conflict:
		return answer(request, http.StatusConflict, metav1.StatusReasonConflict,
			"the object has been modified; please apply your changes to the latest version and try again")
	case Lost:
		response, err := t.next.RoundTrip(request)
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body) // it is carried out whole
			response.Body.Close()
			err = fmt.Errorf("reading the answer to %s %s: %w", request.Method, request.URL.Path, io.ErrUnexpectedEOF)
		}
		return nil, err
	default:
		return t.next.RoundTrip(request)
	}
}

// isWrite leaves out what changes nothing, and what nobody decides by.
func isWrite(request *http.Request) bool {
	switch request.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return false
	}
	if request.URL.Query().Get("dryRun") != "" {
		return false
	}
	for _, aside := range []string{"/events", "/leases", "reviews", "/token"} {
		if strings.Contains(request.URL.Path, aside) {
			return false
		}
	}
	return true
}

func answer(request *http.Request, code int32, reason metav1.StatusReason, message string) (*http.Response, error) {
	if request.Body != nil {
		request.Body.Close()
	}
	content, err := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(int(code)), StatusCode: int(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
		Header: http.Header{"Content-Type": []string{"application/json"}},
		Body:   io.NopCloser(bytes.NewReader(content)), ContentLength: int64(len(content)),
	}, nil
}

// watched is the stream of a watch; what comes while it is held is told afterwards.
type watched struct {
	io.ReadCloser
	fault *Fault
}

func (w *watched) Read(into []byte) (int, error) {
	n, err := w.ReadCloser.Read(into)
	for hold := w.fault.holds(); hold > 0; hold = w.fault.holds() {
		<-w.fault.now().After(hold)
	}
	return n, err
}
