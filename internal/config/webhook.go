package config

import (
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// WebhookKind is the kind of argosy-webhook's file.
const WebhookKind = "WebhookConfiguration"

// Webhook is the configuration of argosy-webhook.
type Webhook struct {
	Header `json:",inline"`

	// BindAddress serves Karmada and karmada-apiserver over TLS: host:port; an empty host means every address.
	BindAddress string `json:"bindAddress"`
	// CertDir holds tls.crt and tls.key. They are read again when they change, without a restart.
	CertDir string `json:"certDir"`
	// IsKarmadaBindAddress serves /is-karmada over TLS to whoever shows a token of karmada-apiserver and may "get" that path there:
	// host:port, or "0" for none.
	IsKarmadaBindAddress string `json:"isKarmadaBindAddress"`
	// Client bounds what the webhook asks of karmada-apiserver.
	Client Client `json:"client"`
	// MetricsBindAddress serves /metrics: host:port, or "0" for none.
	MetricsBindAddress string `json:"metricsBindAddress"`
	// MetricsSecure serves them over TLS, to whoever shows a token of karmada-apiserver and may "get" /metrics there.
	MetricsSecure bool `json:"metricsSecure"`
	// HealthBindAddress serves /healthz and /readyz: host:port, or "0" for none.
	HealthBindAddress string `json:"healthBindAddress"`
	// DrainSeconds is how long a process that is told to stop still takes new requests, while it says that it is not ready: Services learn of
	// that with a delay.
	DrainSeconds int32 `json:"drainSeconds"`
	// ShutdownSeconds is how long running requests are waited for after that.
	ShutdownSeconds int32 `json:"shutdownSeconds"`
}

// LoadWebhook reads the file at path over the defaults; an empty path means the defaults.
func LoadWebhook(path string) (*Webhook, error) {
	c := DefaultWebhook()
	if err := load(path, c); err != nil {
		return nil, err
	}
	return c, nil
}

// DefaultWebhook is the configuration without a file.
func DefaultWebhook() *Webhook {
	return &Webhook{
		Header:               Header{APIVersion: APIVersion, Kind: WebhookKind},
		BindAddress:          ":9443",
		CertDir:              "/etc/argosy/webhook",
		IsKarmadaBindAddress: ":9444",
		Client:               Client{QPS: -1},
		MetricsBindAddress:   ":8080",
		HealthBindAddress:    ":8081",
		DrainSeconds:         5,
		ShutdownSeconds:      20,
	}
}

// Validate names every field that cannot stand.
func (c *Webhook) Validate() field.ErrorList {
	errs := c.validate(WebhookKind)
	if c.BindAddress == "0" {
		errs = append(errs, field.Invalid(field.NewPath("bindAddress"), c.BindAddress, "must be host:port"))
	} else {
		errs = append(errs, validateAddress(c.BindAddress, field.NewPath("bindAddress"))...)
	}
	if c.CertDir == "" {
		errs = append(errs, field.Required(field.NewPath("certDir"), "must name the folder of tls.crt and tls.key"))
	}
	if c.DrainSeconds < 0 {
		errs = append(errs, field.Invalid(field.NewPath("drainSeconds"), c.DrainSeconds, "must be at least 0"))
	}
	if c.ShutdownSeconds < 1 {
		errs = append(errs, field.Invalid(field.NewPath("shutdownSeconds"), c.ShutdownSeconds, "must be at least 1"))
	}
	errs = append(errs, validateAddress(c.IsKarmadaBindAddress, field.NewPath("isKarmadaBindAddress"))...)
	errs = append(errs, c.Client.validate(field.NewPath("client"))...)
	errs = append(errs, validateAddress(c.MetricsBindAddress, field.NewPath("metricsBindAddress"))...)
	return append(errs, validateAddress(c.HealthBindAddress, field.NewPath("healthBindAddress"))...)
}
