package lab

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// passes is how long a trouble of the machine may last before it is taken for more than that.
const passes = 2 * time.Minute

// Patient is the same access for whoever would otherwise take a trouble of the machine for an answer: what an API server could not do just now, since the
// connection was lost, etcd did not answer in time or a webhook was not reached, is asked again. What is refused is refused at once.
func Patient(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &patient{next: next, pause: 250 * time.Millisecond}
	})
	return config
}

type patient struct {
	next  http.RoundTripper
	pause time.Duration
}

// RoundTrip sends a request until it has an answer of its own.
func (p *patient) RoundTrip(request *http.Request) (*http.Response, error) {
	enough, cancel := context.WithTimeout(request.Context(), passes)
	defer cancel()
	response, err := p.next.RoundTrip(request)
	for isPassing(response, err) && (request.Body == nil || request.GetBody != nil) {
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

// isPassing tells a trouble of the machine from an answer, whose body stays readable.
func isPassing(response *http.Response, err error) bool {
	if err != nil {
		return utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsTimeout(err) || utilnet.IsHTTP2ConnectionLost(err)
	}
	switch response.StatusCode {
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusInternalServerError:
		said, err := io.ReadAll(response.Body)
		response.Body.Close()
		response.Body = io.NopCloser(bytes.NewReader(said))
		return err != nil || says(string(said), "etcdserver: ", "failed calling webhook", "context deadline exceeded", "http2: client connection lost", "connection refused", "connection reset")
	}
	return false
}

func says(text string, signs ...string) bool {
	for _, sign := range signs {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
