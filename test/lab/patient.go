package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/test/lab/machine"
)

// longEnough is how long a trouble of the machine may last before it is taken for more than that.
const longEnough = machine.Patience

// Patient is the same access for whoever would otherwise take a trouble of the machine for an answer: what an API server could not do just
// now, since the connection was lost, in the middle of an answer too, etcd did not answer in time or a foreign webhook was not reached, is
// asked again, and counted (Judge). What is refused is refused at once, and so is what a webhook of ours failed at.
func Patient(config *rest.Config) *rest.Config { return patiently(config, isPassing) }

// PatientWithTheSlow is Patient for whoever looks at a federation of which parts are stopped on purpose: only what came too late is asked
// again, and what is not there is told at once.
func PatientWithTheSlow(config *rest.Config) *rest.Config { return patiently(config, isLate) }

func patiently(config *rest.Config, passes passing) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &patient{next: next, passes: passes, pause: 250 * time.Millisecond, counts: ofThisProcess, disturbed: machine.This().Disturbed}
	})
	return config
}

// trouble is what came instead of an answer; text is the body of a fault of the server.
type trouble struct {
	err  error
	code int
	text string
}

func (t trouble) String() string {
	if t.err != nil {
		return t.err.Error()
	}
	return fmt.Sprintf("%d %s", t.code, shortened(t.text))
}

// passing tells a trouble of the machine from an answer.
type passing func(trouble) bool

type patient struct {
	next   http.RoundTripper
	passes passing
	pause  time.Duration
	counts *counts
	// disturbed tells whether the machine stood still, machine.Watch.
	disturbed func(start, now time.Time) bool
}

// RoundTrip sends a request until it has an answer of its own, or its test has repeated enough.
func (p *patient) RoundTrip(request *http.Request) (*http.Response, error) {
	now := clock.RealClock{}
	begun := now.Now()
	for attempt := request; ; {
		start := now.Now()
		response, err := p.next.RoundTrip(attempt)
		seen := look(attempt, response, err)
		if seen == (trouble{}) || !p.forgives(seen, start, now.Now()) || now.Since(begun) > longEnough || !p.counts.repeats(asker(), seen) {
			return response, err
		}
		select {
		case <-request.Context().Done():
			return response, err
		case <-now.After(p.pause):
		}
		var same bool
		if attempt, same = again(request); !same {
			return response, err
		}
		if response != nil {
			response.Body.Close()
		}
	}
}

// forgives tells whether a trouble is the machine's. One of a webhook of ours is so only if it came too late while the machine stood still.
func (p *patient) forgives(seen trouble, start, now time.Time) bool {
	webhook := ourWebhook(seen.text)
	if webhook == "" {
		return p.passes(seen)
	}
	if isLate(seen) && p.disturbed(start, now) {
		return true
	}
	p.counts.fails(asker(), webhook, seen)
	return false
}

// again is the same request once more, unless its body can be read only once.
func again(request *http.Request) (*http.Request, bool) {
	once := request.Clone(request.Context())
	if request.Body == nil {
		return once, true
	}
	if request.GetBody == nil {
		return nil, false
	}
	body, err := request.GetBody()
	once.Body = body
	return once, err == nil
}

// look reads what a request met, if that was a trouble; the body stays readable. An answer that breaks off is one only of a request that
// changes nothing, and a stream is read by whoever asked for it.
func look(request *http.Request, response *http.Response, err error) trouble {
	if err != nil {
		return trouble{err: err}
	}
	faulty := response.StatusCode >= http.StatusInternalServerError
	query := request.URL.Query()
	if !faulty && (request.Method != http.MethodGet || query.Has("watch") || query.Has("follow")) {
		return trouble{}
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(text))
	if err != nil {
		response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text), broken{err}))
	}
	if !faulty {
		return trouble{err: err}
	}
	return trouble{err: err, code: response.StatusCode, text: string(text)}
}

// broken is the rest of an answer that broke off.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// isPassing is whatever a busy machine brings about.
func isPassing(t trouble) bool {
	if t.err != nil {
		return utilnet.IsConnectionRefused(t.err) || utilnet.IsConnectionReset(t.err) || utilnet.IsProbableEOF(t.err) ||
			utilnet.IsTimeout(t.err) || utilnet.IsHTTP2ConnectionLost(t.err) || errors.Is(t.err, io.ErrUnexpectedEOF)
	}
	return t.code == http.StatusServiceUnavailable || t.code == http.StatusGatewayTimeout ||
		t.says("etcdserver: ", "failed calling webhook", "context deadline exceeded", "http2: client connection lost", "connection refused",
			"connection reset")
}

// isLate is an API server that says that its etcd or a webhook did not answer in time.
func isLate(t trouble) bool {
	return t.err == nil && t.says("context deadline exceeded", "Client.Timeout exceeded", "request timed out", "did not complete within",
		"etcdserver: leader changed")
}

// says reports whether a fault of the server has one of these words in it.
func (t trouble) says(signs ...string) bool {
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(t.text, sign) })
}
