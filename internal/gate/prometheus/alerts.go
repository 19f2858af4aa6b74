package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"
)

// Instance is one Prometheus that a program is told of in its configuration.
type Instance struct {
	address   string
	transport http.RoundTripper
}

// NewInstance at an address; caFile has its authority and tokenFile a bearer token, which is read anew now and then; empty: none.
func NewInstance(address, caFile, tokenFile string) (*Instance, error) {
	config := &rest.Config{Host: address, BearerTokenFile: tokenFile, TLSClientConfig: rest.TLSClientConfig{CAFile: caFile}}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("reading how Prometheus is reached: %w", err)
	}
	return &Instance{address: address, transport: transport}, nil
}

// Fires is what an alert's query gives at this time, as its first sample; empty: it gives nothing. An error is no answer.
func (i *Instance) Fires(ctx context.Context, query string) (string, error) {
	value, err := instant(ctx, i.address, i.transport, query)
	if err != nil {
		return "", err
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return "", fmt.Errorf("the query gives a %s; an alert needs an instant vector, which is empty while all is well", value.Type())
	}
	if len(vector) == 0 {
		return "", nil
	}
	if vector[0].Histogram != nil {
		return "", errors.New("the query gives a histogram; an alert needs numbers")
	}
	return fmt.Sprintf("%s %s", vector[0].Metric, vector[0].Value), nil
}
