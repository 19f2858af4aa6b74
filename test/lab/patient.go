package lab

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// patience is how long a trouble of the machine may last before it is taken for more than that.
const patience = 2 * time.Minute

// Patient is the same access for whoever would otherwise take a trouble of the machine for an answer: what an API server could not do just now, since the
// connection was lost, etcd did not answer in time or a webhook was not reached, is asked again. What is refused is refused at once.
func Patient(config *rest.Config) *rest.Config { return patiently(config, isPassing) }

// PatientWithTheSlow is Patient for whoever looks at a federation of which parts are stopped on purpose: only what came too late is asked again, and what is not
// there is told at once.
func PatientWithTheSlow(config *rest.Config) *rest.Config { return patiently(config, isLate) }

func patiently(config *rest.Config, passes passing) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &patient{next: next, passes: passes, pause: 250 * time.Millisecond}
	})
	return config
}

// passing tells a trouble of the machine from an answer, whose body stays readable.
type passing func(*http.Response, error) bool

type patient struct {
	next   http.RoundTripper
	passes passing
	pause  time.Duration
}

// RoundTrip sends a request until it has an answer of its own.
func (p *patient) RoundTrip(request *http.Request) (*http.Response, error) {
	enough, cancel := context.WithTimeout(request.Context(), patience)
	defer cancel()
	response, err := p.next.RoundTrip(request)
	for p.passes(response, err) && (request.Body == nil || request.GetBody != nil) {
		select {
		case <-enough.Done():
			return response, err
		case <-time.After(p.pause):
		}
		again := request.Clone(request.Context())
		if request.GetBody != nil {
			body, failed := request.GetBody()
			if failed != nil {
				return response, err
			}
			again.Body = body
		}
		if response != nil {
			response.Body.Close()
		}
		response, err = p.next.RoundTrip(again)
	}
	return response, err
}

// isPassing is whatever a busy machine brings about.
func isPassing(response *http.Response, err error) bool {
	if err != nil {
		return utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsTimeout(err) || utilnet.IsHTTP2ConnectionLost(err)
	}
	return response.StatusCode == http.StatusServiceUnavailable || response.StatusCode == http.StatusGatewayTimeout ||
		says(response, "etcdserver: ", "failed calling webhook", "context deadline exceeded", "http2: client connection lost", "connection refused", "connection reset")
}

// isLate is an API server that says that its etcd or a webhook did not answer in time.
func isLate(response *http.Response, err error) bool {
	return err == nil && says(response, "context deadline exceeded", "Client.Timeout exceeded", "request timed out", "did not complete within", "etcdserver: leader changed")
}

// says reports whether an answer is a fault of the server with one of these words in it.
func says(response *http.Response, signs ...string) bool {
	if response.StatusCode < http.StatusInternalServerError {
		return false
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(text))
	return err != nil || slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(string(text), sign) })
}
