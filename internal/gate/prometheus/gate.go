package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

// Keys of a gate's Secret beside the usual ones of TLS (ca.crt, tls.crt, tls.key).
const (
	addressKey = "address"
	tokenKey   = "token"
)

// timeout of one question. A gate that takes longer holds the application back, and is asked again.
const timeout = 10 * time.Second

// maxAnswer that is read; a gate's query returns a handful of samples.
const maxAnswer = 1 << 20

// Gates asks Prometheus.
type Gates struct {
	// Reader of the control plane, for the Secrets of gates that name one.
	Reader client.Reader
}

// Ask a gate about an application. The answer is empty when there is a sample and none is other than zero. No sample is no good news: the
// application may not be scraped, the query may name a metric nobody has, or compare without bool. An error is no answer, and so no good
// news either: the connection, the certificate, or what Prometheus answers.
func (g *Gates) Ask(ctx context.Context, gate *v1alpha1.PrometheusGate, application Application) (unwell string, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	transport, err := g.transport(ctx, gate)
	if err != nil {
		return "", err
	}
	query := strings.NewReplacer("$namespace", application.Namespace, "$kind", application.Kind, "$name", application.Name).Replace(gate.Query)
	value, err := instant(ctx, gate.Address, transport, query)
	if err != nil {
		return "", err
	}
	return judge(query, value)
}

// instant query of the Prometheus at an address.
func instant(ctx context.Context, address string, transport http.RoundTripper, query string) (model.Value, error) {
	asked, err := api.NewClient(api.Config{Address: address, Client: &http.Client{
		Transport: bounded{transport},
		// Credentials are for this address, and for none that it points at.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	if err != nil {
		return nil, fmt.Errorf("reading the address %q: %w", address, err)
	}
	value, _, err := promv1.NewAPI(whole{asked}).Query(ctx, query, time.Time{})
	if err != nil {
		return nil, refusal(err)
	}
	return value, nil
}

// Application that a gate is asked about.
type Application struct {
	Namespace, Kind, Name string
}

// refusal of a query with what Prometheus, or whatever answers there, says beside its kind of error.
func refusal(err error) error {
	var refused *promv1.Error
	if errors.As(err, &refused) && refused.Detail != "" {
		return fmt.Errorf("%w: %s", err, text.Cut(refused.Detail, 200))
	}
	return err
}

// judge what a query gave.
func judge(query string, value model.Value) (string, error) {
	var samples []model.SampleValue
	switch value := value.(type) {
	case *model.Scalar:
		samples = append(samples, value.Value)
	case model.Vector:
		for _, sample := range value {
			if sample.Histogram != nil {
				return "", errors.New("the query gives a histogram; a gate needs numbers")
			}
			samples = append(samples, sample.Value)
		}
	default:
		return "", fmt.Errorf("the query gives a %s; a gate needs an instant vector or a scalar", value.Type())
	}
	if len(samples) == 0 {
		return fmt.Sprintf("Prometheus has no sample for %q: it must answer 0 when all is well, so compare with 'bool' ('... > bool 0') and ask "+
			"for a metric the application always has", query), nil
	}
	for _, sample := range samples {
		if sample != 0 { // NaN is not 0 either
			return fmt.Sprintf("Prometheus says %s for %q", sample, query), nil
		}
	}
	return "", nil
}

// transport that a gate is asked over, by client-go: one for each set of certificates, which it keeps.
func (g *Gates) transport(ctx context.Context, gate *v1alpha1.PrometheusGate) (http.RoundTripper, error) {
	config := &rest.Config{Host: gate.Address}
	if gate.SecretName == "" {
		return rest.TransportFor(config)
	}
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: v1alpha1.PrometheusSecretNamespace, Name: gate.SecretName}
	if err := g.Reader.Get(ctx, key, secret); err != nil {
		return nil, fmt.Errorf("reading the gate's Secret %s: %w", key, err)
	}
	// Whoever may edit a whitelist chooses the address; which Secrets go where, their owners say.
	if secret.Type != v1alpha1.PrometheusSecretType {
		return nil, fmt.Errorf("the Secret %s is of type %q: that of a gate is of type %s", key, secret.Type, v1alpha1.PrometheusSecretType)
	}
	if address := strings.TrimRight(string(secret.Data[addressKey]), "/"); address != strings.TrimRight(gate.Address, "/") {
		return nil, fmt.Errorf("the Secret %s is for address %q (its key %s), and the gate's is %q", key, address, addressKey, gate.Address)
	}
	if !strings.HasPrefix(gate.Address, "https://") {
		return nil, fmt.Errorf("the Secret %s is sent over https alone, and the address is %q", key, gate.Address)
	}
	config.CAData = secret.Data["ca.crt"]
	config.CertData, config.KeyData = secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	config.BearerToken = strings.TrimSpace(string(secret.Data[tokenKey]))
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("reading the gate's Secret %s: %w", key, err)
	}
	return transport, nil
}

// whole refuses an answer whose samples lack a value: Prometheus's client would read such a one as 0, and so as well.
type whole struct{ api.Client }

func (w whole) Do(ctx context.Context, request *http.Request) (*http.Response, []byte, error) {
	response, body, err := w.Client.Do(ctx, request)
	var answer struct {
		Data struct {
			Result []struct {
				Value []json.RawMessage `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err != nil || json.Unmarshal(body, &answer) != nil {
		return response, body, err // what it is instead, the client says
	}
	for _, sample := range answer.Data.Result {
		if n := len(sample.Value); n != 2 && n != 0 {
			return response, nil, fmt.Errorf("a sample has %d parts, want time and value", n)
		}
	}
	return response, body, nil
}

// bounded reads no more of an answer than a gate's may have.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(request)
	if err == nil {
		response.Body = limited{Reader: io.LimitReader(response.Body, maxAnswer), Closer: response.Body}
	}
	return response, err
}

type limited struct {
	io.Reader
	io.Closer
}
