package httpbalance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/argosy-dev/argosy/internal/httpclient"
	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/member/component/balance"
)

// Bounds of an answer: one of more bytes, or that takes longer, is none.
const (
	maxAnswer    = 1 << 20
	maxAddresses = 16
)

// Options of the driver.
type Options struct {
	// URL of the system; https.
	URL string
	// CA verifies it, as PEM; empty: the machine's own roots.
	CA []byte
	// TokenFile holds the bearer token, and is read for each request; empty: none is sent.
	TokenFile string
}

// Driver speaks the contract.
type Driver struct {
	base      *url.URL
	client    *http.Client
	tokenFile string
}

var _ balance.Driver = &Driver{}

// New driver.
func New(o Options) (*Driver, error) {
	base, client, err := httpclient.New(o.URL, o.CA)
	if err != nil {
		return nil, err
	}
	return &Driver{base: base, client: client, tokenFile: o.TokenFile}, nil
}

// Ensure the load balancer of that key is as asked for.
func (d *Driver) Ensure(ctx context.Context, key string, spec balance.Spec) (balance.Balancer, error) {
	body := Spec{
		Owner: spec.Owner, Name: spec.Name, Targets: spec.Targets, HealthCheckPort: spec.HealthCheckPort, SourceRanges: spec.SourceRanges,
		AffinitySeconds: spec.AffinitySeconds, Params: spec.Params,
	}
	if body.Targets == nil {
		body.Targets = []string{} // none, and said
	}
	for _, p := range spec.Ports {
		body.Ports = append(body.Ports, Port{Name: p.Name, Protocol: p.Protocol, Port: p.Port, NodePort: p.NodePort})
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return balance.Balancer{}, fmt.Errorf("writing the load balancer: %w", err)
	}
	return d.ask(ctx, http.MethodPut, key, raw)
}

// Get what there is.
func (d *Driver) Get(ctx context.Context, key string) (balance.Balancer, error) {
	return d.ask(ctx, http.MethodGet, key, nil)
}

// Delete it.
func (d *Driver) Delete(ctx context.Context, key string) error {
	_, err := d.ask(ctx, http.MethodDelete, key, nil)
	return err
}

// ask and read the answer; that to DELETE has nothing to read.
func (d *Driver) ask(ctx context.Context, method, key string, body []byte) (balance.Balancer, error) {
	request, err := http.NewRequestWithContext(ctx, method, d.base.String()+"/v1/loadbalancers/"+url.PathEscape(key), bytes.NewReader(body))
	if err != nil {
		return balance.Balancer{}, err
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if d.tokenFile != "" {
		token, err := os.ReadFile(d.tokenFile)
		if err != nil {
			return balance.Balancer{}, fmt.Errorf("reading the token: %w", err)
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	response, err := d.client.Do(request)
	if err != nil {
		return balance.Balancer{}, fmt.Errorf("the provider did not answer: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return balance.Balancer{}, fmt.Errorf("the provider's answer broke off: %w", err)
	case len(text) > maxAnswer:
		return balance.Balancer{}, fmt.Errorf("the provider's answer is longer than %d bytes", maxAnswer)
	case response.StatusCode >= 300:
		return balance.Balancer{}, refusal(method, key, response, text)
	case method == http.MethodDelete:
		return balance.Balancer{}, nil
	}
	var out LoadBalancer
	if err := json.Unmarshal(text, &out); err != nil {
		return balance.Balancer{}, fmt.Errorf("the provider's answer %d is no JSON of the contract: %w", response.StatusCode, err)
	}
	return read(key, out)
}

func cut(words string) string { return text.Cut(words, 512) }

// refusal in terms of what it lets us know: a proxy's "not found" is none of the provider's.
func refusal(method, key string, response *http.Response, text []byte) error {
	problem := Problem{}
	if err := json.Unmarshal(text, &problem); err != nil {
		problem = Problem{}
	}
	status := response.StatusCode
	said := fmt.Sprintf("the provider answered %d", status)
	if message := cut(problem.Message); message != "" {
		said += ": " + message
	}
	itself := problem.Code == NotFound && problem.Key == key
	switch {
	case status == http.StatusNotFound && method != http.MethodPut && itself, status == http.StatusGone && method == http.MethodPut && itself:
		return fmt.Errorf("%s: %w", said, balance.ErrGone)
	case status == http.StatusUnprocessableEntity && problem.Code == Invalid:
		return fmt.Errorf("%s: %w", said, balance.ErrInvalid)
	case status == http.StatusTooManyRequests, status == http.StatusConflict && problem.Code == Busy:
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil || seconds < 0 {
			seconds = 0 // a date, or nonsense: it did not say
		}
		// Longer than an hour is not waited for anyway, and more would not fit into a Duration.
		return &balance.BusyError{After: time.Duration(min(seconds, 3600)) * time.Second, Said: said}
	}
	return errors.New(said)
}

// read an answer: one of another's load balancer is none, and so is one that leads back to whoever uses it.
func read(key string, b LoadBalancer) (balance.Balancer, error) {
	if b.Key != key || key == "" || b.ID == "" {
		return balance.Balancer{}, fmt.Errorf("the provider answered with load balancer %q of key %q, asked about key %q",
			cut(b.ID), cut(b.Key), key)
	}
	out := balance.Balancer{Key: key, ID: b.ID, State: balance.Unknown, Message: cut(b.Message), Healthy: b.HealthyTargets}
	switch b.State {
	case Creating:
		out.State = balance.Creating
	case Active:
		out.State = balance.Active
	case Failed, Deleting:
		out.State = balance.Failed
	}
	if b.HealthyTargets != nil && *b.HealthyTargets < 0 {
		return balance.Balancer{}, fmt.Errorf("the provider says that %d targets are well", *b.HealthyTargets)
	}
	if len(b.Addresses) > maxAddresses {
		return balance.Balancer{}, fmt.Errorf("the provider names %d addresses, more than %d", len(b.Addresses), maxAddresses)
	}
	for _, a := range b.Addresses {
		address := balance.Address{IP: a.IP, Hostname: strings.ToLower(a.Hostname)}
		if err := balance.Check(address); err != nil {
			return balance.Balancer{}, fmt.Errorf("of load balancer %s: %w", cut(b.ID), err)
		}
		out.Addresses = append(out.Addresses, address)
	}
	return out, nil
}
