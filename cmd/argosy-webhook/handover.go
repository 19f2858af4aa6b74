package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/interpreter/hook"
)

// handoverEvery lies between two looks at a certificate that waits. A certificate is served from the second look that finds it
// trusted: callers hear of what is trusted by their watches, a moment after it is written.
const handoverEvery = 5 * time.Second

// handover keeps a renewed certificate back until callers trust who signed it. They trust what the registration's caBundle says.
// Whoever writes the Secret, such as cert-manager, may change authority and certificate in one write, and argosyctl install
// publishes the new authority up to an hour later. Until then the certificate before goes on, as long as it lasts.
type handover struct {
	// newest is what certDir holds.
	newest func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// reader of karmada-apiserver.
	reader client.Reader
	clock  clock.WithTicker

	served atomic.Pointer[tls.Certificate]
	// trusted was found to be trusted at the look before.
	trusted *tls.Certificate
}

// get is the certificate of a connection.
func (h *handover) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if now := h.served.Load(); now != nil {
		return now, nil
	}
	return h.newest(hello)
}

// Start implements manager.Runnable.
func (h *handover) Start(ctx context.Context) error {
	ticker := h.clock.NewTicker(handoverEvery)
	defer ticker.Stop()
	for {
		h.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica serves.
func (h *handover) NeedLeaderElection() bool { return false }

// look decides what is served from now on.
func (h *handover) look(ctx context.Context) {
	logger := klog.FromContext(ctx)
	newest, err := h.newest(nil)
	before := h.served.Load()
	switch {
	case err != nil || newest == before:
		// The watcher of the files has logged what it could not read.
		return
	case before == nil || expired(before, h.clock.Now()):
		h.served.Store(newest)
		return
	}
	roots, err := h.published(ctx)
	if err != nil {
		logger.Error(err, "Could not read what callers trust; serving the certificate before", "reason", "Unreachable")
		return
	}
	if roots != nil && !trusts(roots, newest, h.clock.Now()) {
		logger.V(1).Info("Serving the certificate before the renewed one", "reason", "NotTrustedYet")
		return
	}
	if h.trusted != newest {
		h.trusted = newest
		return
	}
	h.served.Store(newest)
	logger.Info("Serving the renewed certificate", "serialNumber", newest.Leaf.SerialNumber.String(), "notAfter", newest.Leaf.NotAfter)
}

// published is the bundle of our registration, or nil where there is none: then nobody calls.
func (h *handover) published(ctx context.Context) (*x509.CertPool, error) {
	var registrations configv1alpha1.ResourceInterpreterWebhookConfigurationList
	if err := h.reader.List(ctx, &registrations); err != nil {
		return nil, fmt.Errorf("listing ResourceInterpreterWebhookConfigurations: %w", err)
	}
	for _, registration := range registrations.Items {
		if registration.Name != hook.RegistrationName || len(registration.Webhooks) == 0 {
			continue
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(registration.Webhooks[0].ClientConfig.CABundle)
		return roots, nil
	}
	return nil, nil
}

func expired(certificate *tls.Certificate, now time.Time) bool {
	return now.After(certificate.Leaf.NotAfter)
}

func trusts(roots *x509.CertPool, certificate *tls.Certificate, now time.Time) bool {
	options := x509.VerifyOptions{Roots: roots, CurrentTime: now, Intermediates: x509.NewCertPool()}
	for _, der := range certificate.Certificate[1:] {
		if intermediate, err := x509.ParseCertificate(der); err == nil {
			options.Intermediates.AddCert(intermediate)
		}
	}
	_, err := certificate.Leaf.Verify(options)
	return err == nil
}
