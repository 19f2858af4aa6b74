package pki

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func TestCertificatesVerify(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, err := NewAuthority("test", now)
	if err != nil {
		t.Fatal(err)
	}
	server, err := ca.Server("*.karmada-system.svc")
	if err != nil {
		t.Fatal(err)
	}
	client, err := ca.Client("jane", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM)
	for name, tc := range map[string]struct {
		pair  Pair
		host  string
		usage x509.ExtKeyUsage
		when  time.Time
		want  bool
	}{
		"server by localhost":            {server, "localhost", x509.ExtKeyUsageServerAuth, now, true},
		"server by address":              {server, "127.0.0.1", x509.ExtKeyUsageServerAuth, now, true},
		"server by service":              {server, "karmada-aggregated-apiserver.karmada-system.svc", x509.ExtKeyUsageServerAuth, now, true},
		"server by another name":         {server, "example.org", x509.ExtKeyUsageServerAuth, now, false},
		"server in a clock a bit behind": {server, "localhost", x509.ExtKeyUsageServerAuth, now.Add(-time.Minute), true},
		"server after its time":          {server, "localhost", x509.ExtKeyUsageServerAuth, now.Add(2 * lifetime), false},
		"client":                         {client, "", x509.ExtKeyUsageClientAuth, now, true},
		"client as a server":             {client, "", x509.ExtKeyUsageServerAuth, now, false},
	} {
		t.Run(name, func(t *testing.T) {
			pair, err := tls.X509KeyPair(tc.pair.Cert, tc.pair.Key)
			if err != nil {
				t.Fatal(err)
			}
			_, err = pair.Leaf.Verify(x509.VerifyOptions{
				Roots: roots, DNSName: tc.host, CurrentTime: tc.when, KeyUsages: []x509.ExtKeyUsage{tc.usage},
			})
			if got := err == nil; got != tc.want {
				t.Errorf("verified: %v (%v), want %v", got, err, tc.want)
			}
		})
	}
}

func TestKubeconfigRoundTrip(t *testing.T) {
	ca, err := NewAuthority("test", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Client("jane")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "deep", "kubeconfig")
	if err := WriteKubeconfig(ca.Kubeconfig("member1", "https://127.0.0.1:20000", pair), path); err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Host != "https://127.0.0.1:20000" || string(cfg.CAData) != string(ca.PEM) || string(cfg.KeyData) != string(pair.Key) {
		t.Errorf("the kubeconfig reads back as %v", cfg)
	}
}
