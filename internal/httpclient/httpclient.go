// Package httpclient makes the clients of systems that serve one of Argosy's HTTP contracts: machines, deployments, load balancers. What is
// asked and how an answer is read is the caller's.
package httpclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// patience is how long one answer may take.
const patience = 30 * time.Second

// New client of the system at an https address, which authority verifies, as PEM (empty: the machine's own roots); and the address.
func New(address string, authority []byte) (*url.URL, *http.Client, error) {
	base, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || base.Scheme != "https" || base.Host == "" {
		return nil, nil, errors.Join(fmt.Errorf("url %q is no https://host[:port][/path]", address), err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if len(authority) > 0 {
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(authority) {
			return nil, nil, fmt.Errorf("the authority of %s is no PEM certificate", base.Host)
		}
	}
	return base, &http.Client{
		Transport: transport, Timeout: patience,
		// A redirect would take the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
