package demo

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// patient has client-go make a request again, as it does whatever says Retry-After, where an API server only says that its etcd or a webhook did
// not answer in time: on a machine that stood still for a while that is no news of the federation. Unlike lab.Patient it tells at once that a plane is stopped.
type patient struct{ next http.RoundTripper }

// tooLate are an API server's words for that.
var tooLate = []string{"context deadline exceeded", "Client.Timeout exceeded", "request timed out", "did not complete within", "etcdserver: leader changed"}

func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(req)
	if err != nil || resp.StatusCode < http.StatusInternalServerError || resp.Header.Get("Retry-After") != "" {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if slices.ContainsFunc(tooLate, func(words string) bool { return strings.Contains(string(body), words) }) {
		resp.Header.Set("Retry-After", "1")
	}
	return resp, nil
}
