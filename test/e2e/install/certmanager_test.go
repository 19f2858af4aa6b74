package install

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/certificates"
	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// certManager plays cert-manager's part, whose controllers do not run here: for each Certificate that the chart made it writes the Secret
// it names, all of it in one write, as cert-manager does. It knows nothing of karmada-apiserver.
type certManager struct {
	*release
	authority certificates.Authority
}

// certManaged hands a release to cert-manager by an upgrade, and lets it renew: the certificate alone, then the authority with it. Karmada
// goes on asking through all of it, and trusts only what karmada-apiserver was told.
func (r *release) certManaged(t *testing.T) {
	if err := lab.InstallCRDs(t.Context(), r.config, r.lab.Root, lab.CertManagerCRDs()); err != nil {
		t.Fatal(err)
	}
	c := &certManager{release: r}
	conclusively(t, func() bool { return c.managedOnce(t) })
}

// managedOnce is the upgrade and both renewals; an upgrade to what is already there changes nothing but the authority.
func (c *certManager) managedOnce(t *testing.T) (conclusive bool) {
	t.Helper()
	r := c.release
	l := startLoad(t, 0, r.callers(r.trusting(t))...)
	estimates := startLoad(t, 0, r.schedulers(t)...)

	before := r.serials(t)
	r.upgradeTo(t, values+"webhook: {certificates: {mode: CertManager}}\n", func(rendered) {
		c.renewAuthority(t)
		c.renewCertificate(t)
	})
	r.servesAnew(t, before)
	c.everyoneTrusts(t)

	before = r.serials(t)
	c.renewCertificate(t)
	r.servesAnew(t, before)

	before = r.serials(t)
	c.renewAuthority(t)
	c.renewCertificate(t)
	// Longer than the webhook takes to serve what is trusted: nobody was told of the new authority yet.
	NewWithT(t).Consistently(func() []string { return r.serials(t) }).WithTimeout(15*time.Second).WithPolling(time.Second).
		Should(Equal(before), "certificates that are served before their authority is published")
	r.runJob(t, r.chart.job(t, "argosy-renew"))
	r.servesAnew(t, before)
	c.everyoneTrusts(t)
	r.otherSecretsRenewed(t)

	// Whoever connects from now on must be let in by it.
	conclusive = startLoad(t, 0, r.schedulers(t)...).ends(t, "the estimator serves another certificate")

	l.goesOn(t, 300)
	conclusive = l.ends(t, "cert-manager took over and renewed") && conclusive
	estimates.goesOn(t, 300)
	return estimates.ends(t, "certificates and tokens were renewed") && conclusive
}

func (c *certManager) renewAuthority(t *testing.T) {
	t.Helper()
	var err error
	if c.authority, _, err = certificates.EnsureAuthority(certificates.Authority{}, clock.RealClock{}.Now()); err != nil {
		t.Fatal(err)
	}
	c.write(t, "argosy-ca", c.authority.Pair)
}

func (c *certManager) renewCertificate(t *testing.T) {
	t.Helper()
	names, _, err := unstructured.NestedStringSlice(c.certificate(t, "argosy-webhook").Object, "spec", "dnsNames")
	if err != nil {
		t.Fatal(err)
	}
	pair, _, err := certificates.EnsureServing(certificates.Pair{}, c.authority, append(names, "localhost"), clock.RealClock{}.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "argosy-webhook", pair)
	c.mountAgain(t, "argosy-webhook", "certificate")
}

// certificate that the chart made in the host cluster.
func (c *certManager) certificate(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"})
	if err := c.objects.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// write the Secret of a Certificate: authority and certificate at once, no earlier authority.
func (c *certManager) write(t *testing.T, certificate string, pair certificates.Pair) {
	t.Helper()
	name, _, err := unstructured.NestedString(c.certificate(t, certificate).Object, "spec", "secretName")
	if err != nil {
		t.Fatal(err)
	}
	secrets := c.clients.CoreV1().Secrets(namespace)
	secret, err := secrets.Get(t.Context(), name, getOptions)
	if apierrors.IsNotFound(err) {
		secret, err = secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{corev1.TLSCertKey: nil, corev1.TLSPrivateKeyKey: nil}}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	secret.Annotations = map[string]string{"cert-manager.io/certificate-name": certificate}
	secret.Data = map[string][]byte{corev1.TLSCertKey: pair.Cert, corev1.TLSPrivateKeyKey: pair.Key, "ca.crt": c.authority.Cert}
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// everyoneTrusts demands that each registration of karmada-apiserver trusts the present authority: interpreter and admission are called by
// different processes.
func (c *certManager) everyoneTrusts(t *testing.T) {
	t.Helper()
	var kinds []string
	objects, err := install.Registrations("https://localhost", c.authority.Cert)
	if err != nil {
		t.Fatal(err)
	}
	want := string(certificates.Trust(clock.RealClock{}.Now(), c.authority.Cert))
	for _, wanted := range objects {
		if !strings.HasSuffix(wanted.GetKind(), "WebhookConfiguration") {
			continue
		}
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(wanted.GroupVersionKind())
		if err := c.karmada.Get(t.Context(), client.ObjectKeyFromObject(wanted), live); err != nil {
			t.Fatal(err)
		}
		webhooks, _, err := unstructured.NestedSlice(live.Object, "webhooks")
		if err != nil || len(webhooks) == 0 {
			t.Fatalf("%s has no webhooks: %v", key(live), err)
		}
		for _, webhook := range webhooks {
			encoded, _, _ := unstructured.NestedString(webhook.(map[string]any), "clientConfig", "caBundle")
			if trust, err := base64.StdEncoding.DecodeString(encoded); err != nil || len(trust) < len(want) || string(trust[:len(want)]) != want {
				t.Errorf("%s trusts another authority than cert-manager's: %v\n%s", key(live), err, trust)
			}
		}
		kinds = append(kinds, live.GetKind())
	}
	for _, kind := range []string{"ResourceInterpreterWebhookConfiguration", "ValidatingWebhookConfiguration",
		"MutatingWebhookConfiguration"} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("no %s was looked at", kind)
		}
	}
}

// otherSecretsRenewed mounts the tokens that the job has just made, and another certificate of Karmada's authority for the estimator.
// Nothing restarts.
func (r *release) otherSecretsRenewed(t *testing.T) {
	t.Helper()
	for _, program := range []string{"argosy-webhook", "argosy-controller-manager", "argosy-estimator"} {
		r.mountAgain(t, program, "karmada")
	}
	secrets := r.clients.CoreV1().Secrets(namespace)
	secret, err := secrets.Get(t.Context(), "karmada-cert", getOptions)
	if err != nil {
		t.Fatal(err)
	}
	serial := big.NewInt(clock.RealClock{}.Now().UnixNano())
	secret.Data["karmada.crt"], secret.Data["karmada.key"] = r.signed(t, serial)
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	r.mountAgain(t, "argosy-estimator", "certificate")
	own, err := tls.LoadX509KeyPair(r.lab.PKI("server.crt"), r.lab.PKI("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"argosy-estimator-0", "argosy-estimator-1"} {
		// Which certificate it is, is the question here; whether it is trusted, the callers find out.
		var conn *tls.Conn
		NewWithT(t).Eventually(func() (err error) {
			conn, err = tls.Dial("tcp", r.pods[name].address, &tls.Config{
				InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{own},
			})
			return err
		}).WithTimeout(machine.Patience).Should(Succeed())
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber; got.Cmp(serial) != 0 {
			t.Errorf("%s serves certificate %s, want the renewed %s", name, got, serial)
		}
		conn.Close()
	}
}

// signed is a certificate as Karmada's installers make it, of the lab's authority.
func (r *release) signed(t *testing.T, serial *big.Int) (cert, key []byte) {
	t.Helper()
	authority, err := tls.LoadX509KeyPair(r.lab.PKI("ca.crt"), r.lab.PKI("ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: serial, DNSNames: []string{"localhost"},
		NotBefore: authority.Leaf.NotBefore, NotAfter: authority.Leaf.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}},
		authority.Leaf, own.Public(), authority.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}
