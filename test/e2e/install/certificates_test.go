package install

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/certificates"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// edge is when the certificates below become due: after one run of the renewal job, which must leave them alone. On a machine that is too
// slow for that it is tried again with twice the time, up to the last edge.
const edge, lastEdge = 30 * time.Second, 8 * time.Minute

// rotated lets authority and certificate become due by the real clock while the webhook is asked without pause. The callers
// trust what karmada-apiserver was told to trust, as Karmada does, and nobody is refused.
func (r *release) rotated(t *testing.T) {
	conclusively(t, func() bool { return r.rotatedOnce(t) })
}

func (r *release) rotatedOnce(t *testing.T) (conclusive bool) {
	t.Helper()
	now := clock.RealClock{}
	former := r.serials(t)
	var due time.Time
	for edge := edge; ; edge *= 2 {
		due = now.Now().Add(edge)
		r.ageCertificates(t, due)
		out := r.runJob(t, r.chart.job(t, "argosy-renew"))
		if !strings.Contains(out, "made ") {
			break
		}
		if now.Now().Before(due) || edge >= lastEdge {
			t.Fatalf("the renewal job renewed certificates before they were due, or never ran before:\n%s", out)
		}
	}
	r.mountAgain(t, "argosy-webhook", "certificate")
	r.servesAnew(t, former)
	before := r.serials(t)
	l := startLoad(t, 0, r.callers(r.trusting(t))...)
	<-now.After(due.Sub(now.Now()) + time.Second)
	out := r.runJob(t, r.chart.job(t, "argosy-renew"))
	for _, want := range []string{"made     certificate authority: it ends", "made     serving certificate: "} {
		if !strings.Contains(out, want) {
			t.Errorf("the renewal job said nothing of %q:\n%s", want, out)
		}
	}
	r.mountAgain(t, "argosy-webhook", "certificate")
	r.servesAnew(t, before)
	l.goesOn(t, 300)
	return l.ends(t, "authority and certificate were renewed")
}

// servesAnew waits until both replicas serve another certificate than before.
func (r *release) servesAnew(t *testing.T, before []string) {
	t.Helper()
	NewWithT(t).Eventually(func() int {
		fresh := 0
		for i, serial := range r.serials(t) {
			if serial != before[i] {
				fresh++
			}
		}
		return fresh
	}).WithTimeout(machine.Patience).Should(Equal(2), "replicas that serve the new certificate")
}

// ageCertificates puts an authority and a certificate in place that are due at that moment, both made by our own code with an
// earlier clock: certificates are due when a third of their life is left.
func (r *release) ageCertificates(t *testing.T, due time.Time) {
	t.Helper()
	const skew = 5 * time.Minute
	born := func(life time.Duration) time.Time { return due.Add((life+skew)/3 - life) }
	authority, _, err := certificates.EnsureAuthority(certificates.Authority{}, born(certificates.AuthorityLife))
	if err != nil {
		t.Fatal(err)
	}
	pair, _, err := certificates.EnsureServing(certificates.Pair{}, authority, []string{"argosy-webhook.argosy-system.svc", "localhost"},
		born(certificates.ServingLife))
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]certificates.Pair{install.AuthoritySecret: authority.Pair, install.ServingSecret: pair} {
		secret, err := r.clients.CoreV1().Secrets(namespace).Get(t.Context(), name, getOptions)
		if err != nil {
			t.Fatal(err)
		}
		secret.Data = map[string][]byte{corev1.TLSCertKey: p.Cert, corev1.TLSPrivateKeyKey: p.Key, "ca.crt": authority.Trust}
		if _, err := r.clients.CoreV1().Secrets(namespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// mountAgain is what kubelets do when what a volume of a program's pods holds has changed.
func (r *release) mountAgain(t *testing.T, program, volume string) {
	t.Helper()
	spec := r.chart.deployment(t, program).Spec.Template.Spec
	for name, p := range r.pods {
		if p.program == program {
			if err := r.volume(t.Context(), spec, volume, r.podDir(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// serials of the certificates that the two replicas serve.
func (r *release) serials(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, name := range []string{"argosy-webhook-0", "argosy-webhook-1"} {
		// Which certificate it is, is the question here; whether it is trusted, the callers find out.
		var conn *tls.Conn
		NewWithT(t).Eventually(func() (err error) {
			conn, err = tls.Dial("tcp", r.pods[name].address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
			return err
		}).WithTimeout(machine.Patience).Should(Succeed())
		out = append(out, conn.ConnectionState().PeerCertificates[0].SerialNumber.String())
		conn.Close()
	}
	return out
}

// trusting is a client that reads for each new connection what the registration says is to be trusted.
func (r *release) trusting(t *testing.T) *http.Client {
	var bundle atomic.Pointer[x509.CertPool]
	read := func(ctx context.Context) error {
		roots, err := r.trusted(ctx)
		if err == nil {
			bundle.Store(roots)
		}
		return err
	}
	if err := read(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() {
		now := clock.RealClock{}
		for t.Context().Err() == nil {
			// A failed read keeps what was trusted, as an informer would.
			_ = read(t.Context())
			<-now.After(100 * time.Millisecond)
		}
	}()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: bundle.Load(), ServerName: "localhost", MinVersion: tls.VersionTLS12}}
		return dialer.DialContext(ctx, network, address)
	}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialTLSContext: dial}}
}

// trusted is the bundle of the interpreter's registration.
func (r *release) trusted(ctx context.Context) (*x509.CertPool, error) {
	registration := &unstructured.Unstructured{}
	registration.SetAPIVersion("config.karmada.io/v1alpha1")
	registration.SetKind("ResourceInterpreterWebhookConfiguration")
	if err := r.karmada.Get(ctx, client.ObjectKey{Name: "argosy"}, registration); err != nil {
		return nil, err
	}
	webhooks, _, err := unstructured.NestedSlice(registration.Object, "webhooks")
	if err != nil || len(webhooks) == 0 {
		return nil, errors.Join(err, errors.New("the registration has no webhooks"))
	}
	encoded, _, err := unstructured.NestedString(webhooks[0].(map[string]any), "clientConfig", "caBundle")
	if err != nil {
		return nil, err
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("caBundle: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(decoded) {
		return nil, errors.New("caBundle holds no certificate")
	}
	return roots, nil
}
