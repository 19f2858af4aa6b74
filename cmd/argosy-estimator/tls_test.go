package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{t: t, key: newKey(t)}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// issue writes a certificate for localhost and its key into the folder.
func (a authority) issue(folder string, serial int64, until time.Time) (certFile, keyFile string) {
	a.t.Helper()
	key := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader,
		&x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotBefore: time.Unix(0, 0), NotAfter: until,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	write(a.t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(a.t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))
	return certFile, keyFile
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

var far = time.Unix(1<<33, 0)

// serve starts a gRPC server with the flags' credentials and returns its address.
func serveGRPC(t *testing.T, options *flagOptions) string {
	t.Helper()
	creds, err := options.credentials()
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(creds))
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// call asks once and returns the serial number of the server's certificate.
func call(t *testing.T, address string, config *tls.Config) (serial int64, err error) {
	t.Helper()
	config.ServerName = "localhost"
	config.VerifyConnection = func(state tls.ConnectionState) error {
		serial = state.PeerCertificates[0].SerialNumber.Int64()
		return nil
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	_, err = healthpb.NewHealthClient(connection).Check(ctx, &healthpb.HealthCheckRequest{})
	return serial, err
}

func pool(a authority) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func TestClientsMustShowACertificateOfTheAuthority(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	caFile := filepath.Join(t.TempDir(), "ca.crt")
	write(t, caFile, ours.pem())
	certFile, keyFile := ours.issue(t.TempDir(), 7, far)
	client := func(a authority, until time.Time) []tls.Certificate {
		pair, err := tls.LoadX509KeyPair(a.issue(t.TempDir(), 9, until))
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{pair}
	}
	for name, tc := range map[string]struct {
		skip   bool
		caFile string
		shown  []tls.Certificate
		trusts authority
		want   string // in the error; any error where it is a space: what a client hears of a refusal depends on which side is first
	}{
		"karmada-scheduler's":                       {false, caFile, client(ours, far), ours, ""},
		"none":                                      {false, caFile, nil, ours, " "},
		"of another authority":                      {false, caFile, client(theirs, far), ours, " "},
		"expired":                                   {false, caFile, client(ours, time.Unix(1, 0)), ours, " "},
		"none, and nobody asks (skip-verify)":       {true, caFile, nil, ours, ""},
		"none, without a client authority":          {false, "", nil, ours, ""},
		"a server that the client does not believe": {false, caFile, client(ours, far), theirs, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			address := serveGRPC(t, &flagOptions{certFile: certFile, keyFile: keyFile, clientCA: tc.caFile, skipClientVerify: tc.skip})
			_, err := call(t, address, &tls.Config{RootCAs: pool(tc.trusts), Certificates: tc.shown, MinVersion: tls.VersionTLS13})
			if tc.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error = %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestRotatedCertificateNeedsNoRestart(t *testing.T) {
	ours, folder := newAuthority(t), t.TempDir()
	certFile, keyFile := ours.issue(folder, 1, far)
	address := serveGRPC(t, &flagOptions{certFile: certFile, keyFile: keyFile})
	for serial := int64(1); serial < 4; serial++ {
		got, err := call(t, address, &tls.Config{RootCAs: pool(ours), MinVersion: tls.VersionTLS13})
		if err != nil || got != serial {
			t.Errorf("certificate %d, %v, want %d", got, err, serial)
		}
		ours.issue(folder, serial+1, far)
	}
}

// A new client authority is trusted, and the old one no longer, without a restart too.
func TestRotatedClientAuthorityNeedsNoRestart(t *testing.T) {
	before, after := newAuthority(t), newAuthority(t)
	caFile := filepath.Join(t.TempDir(), "ca.crt")
	write(t, caFile, before.pem())
	certFile, keyFile := before.issue(t.TempDir(), 1, far)
	address := serveGRPC(t, &flagOptions{certFile: certFile, keyFile: keyFile, clientCA: caFile})
	ask := func(a authority) error {
		pair, err := tls.LoadX509KeyPair(a.issue(t.TempDir(), 2, far))
		if err != nil {
			t.Fatal(err)
		}
		_, err = call(t, address, &tls.Config{RootCAs: pool(before), Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13})
		return err
	}
	if err := ask(before); err != nil {
		t.Fatalf("before: %v", err)
	}
	write(t, caFile, after.pem())
	if err := ask(after); err != nil {
		t.Errorf("a client of the new authority: %v", err)
	}
	if err := ask(before); err == nil {
		t.Error("a client of the old authority is still let in")
	}
}

func TestBadTLSFilesStopTheStart(t *testing.T) {
	folder := t.TempDir()
	certFile, keyFile := newAuthority(t).issue(folder, 1, far)
	empty := filepath.Join(folder, "empty")
	write(t, empty, nil)
	for name, tc := range map[string]struct {
		options flagOptions
		want    string
	}{
		"no such certificate":       {flagOptions{certFile: "none", keyFile: keyFile}, "--grpc-auth-cert-file"},
		"a key that is none":        {flagOptions{certFile: certFile, keyFile: empty}, "--grpc-auth-key-file"},
		"a certificate, no key":     {flagOptions{certFile: certFile}, "--grpc-auth-key-file"},
		"a key, no certificate":     {flagOptions{keyFile: keyFile}, "--grpc-auth-cert-file"},
		"an authority that is none": {flagOptions{certFile: certFile, keyFile: keyFile, clientCA: empty}, "holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tc.options.credentials(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q in it", err, tc.want)
			}
		})
	}
}
