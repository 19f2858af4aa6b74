package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
)

// soon is how long before its end a certificate is worth a warning: its renewal has failed for weeks then.
const soon = 14 * 24 * time.Hour

// Endpoint is what answers where the registration points.
type Endpoint struct {
	// Host is the name Karmada verifies, Address what was dialled.
	Host, Address string
	// Chain the server presented, its own certificate first.
	Chain []*x509.Certificate
	// Err is set when it could not be reached.
	Err error
}

// dial looks at the certificate without trusting it: Diagnose says what is wrong with it.
func dial(ctx context.Context, host, address string) Endpoint {
	out := Endpoint{Host: host, Address: address}
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{
		ServerName: host, InsecureSkipVerify: true, //nolint:gosec // the chain is verified by certificates, which says why it fails
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		out.Err = err
		return out
	}
	defer conn.Close()
	out.Chain = conn.(*tls.Conn).ConnectionState().PeerCertificates
	return out
}

// certificates: Karmada trusts what the webhook presents, today and in two weeks.
func certificates(f Facts, now time.Time) []Finding {
	var out []Finding
	seen := map[string]bool{}
	f.each(func(r *configv1alpha1.ResourceInterpreterWebhookConfiguration, w *configv1alpha1.ResourceInterpreterWebhook) {
		endpoint, looked := f.Endpoints[w.Name]
		if !ours(r) || !looked {
			return
		}
		finding := certificate(endpoint, w.ClientConfig.CABundle, now)
		// All families share one endpoint: say it once.
		if finding == nil || seen[finding.Message] {
			return
		}
		seen[finding.Message] = true
		finding.Object = "ResourceInterpreterWebhookConfiguration/" + r.Name
		out = append(out, *finding)
	})
	return out
}

func certificate(e Endpoint, bundle []byte, now time.Time) *Finding {
	if errors.Is(e.Err, syscall.ECONNREFUSED) {
		return &Finding{Severity: Problem, Message: "nobody listens at " + e.Address, Remedy: "see that argosy-webhook runs there"}
	}
	if e.Err != nil {
		return &Finding{Severity: Warning,
			Message: fmt.Sprintf("%s cannot be reached from here: %v", e.Address, e.Err),
			Remedy: "run the doctor where Karmada's controllers run, or give --webhook-address; if it fails there too, see that argosy-webhook " +
				"runs"}
	}
	if len(e.Chain) == 0 {
		return &Finding{Severity: Problem, Message: e.Address + " presents no certificate", Remedy: "see that argosy-webhook runs there"}
	}
	leaf := e.Chain[0]
	renew := "run `argosyctl install`, which renews it; argosy-webhook reads the new one without a restart"
	if now.After(leaf.NotAfter) {
		return &Finding{
			Severity: Problem, Message: fmt.Sprintf("the certificate of %s expired on %s", e.Address, leaf.NotAfter.Format(time.DateOnly)),
			Remedy: renew,
		}
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return &Finding{
			Severity: Problem, Message: "caBundle holds no certificate: Karmada trusts no webhook",
			Remedy: "put the CA of the webhook's certificate into caBundle; `argosyctl install` does",
		}
	}
	options := x509.VerifyOptions{Roots: roots, DNSName: e.Host, CurrentTime: now, Intermediates: x509.NewCertPool()}
	for _, intermediate := range e.Chain[1:] {
		options.Intermediates.AddCert(intermediate)
	}
	if _, err := leaf.Verify(options); err != nil {
		return untrusted(e, err)
	}
	if left := leaf.NotAfter.Sub(now); left < soon {
		return &Finding{
			Severity: Warning, Message: fmt.Sprintf("the certificate of %s expires in %d days, on %s", e.Address, int(left.Hours()/24),
				leaf.NotAfter.Format(time.DateOnly)), Remedy: renew,
		}
	}
	return nil
}

func untrusted(e Endpoint, err error) *Finding {
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		return &Finding{Severity: Problem,
			Message: "the certificate of " + e.Address + " is not signed by caBundle: every question of Karmada fails",
			Remedy:  "put the CA of the webhook's certificate into caBundle; `argosyctl install` does"}
	}
	return &Finding{Severity: Problem,
		Message: fmt.Sprintf("Karmada does not accept the certificate of %s: %v", e.Address, err),
		Remedy:  "give argosy-webhook a certificate for the name " + e.Host}
}
