package prometheus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// answers is a server that is asked query, and answers with a file of testdata, or with body. Those files are a real Prometheus's:
// test/monitoring holds them against its HTTP API.
func answers(t *testing.T, query string, status int, file, body string) *httptest.Server {
	t.Helper()
	if file != "" {
		content, err := os.ReadFile(filepath.Join("testdata", file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		body = string(content)
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		if in.URL.Path != "/api/v1/query" || in.FormValue("query") != query {
			t.Errorf("asked %s for %q", in.URL, in.FormValue("query"))
		}
		if status != 0 {
			out.Header().Set("Location", "http://localhost:1/")
			out.WriteHeader(status)
		}
		_, _ = io.WriteString(out, body) // who asked may have read enough
	}))
	t.Cleanup(server.Close)
	return server
}

func TestAsk(t *testing.T) {
	for name, tc := range map[string]struct {
		status  int
		file    string
		body    string
		unwell  string
		wantErr string
	}{
		"nothing":      {file: "nothing", unwell: `Prometheus has no sample for "errors{app=\"web\"}": it must answer 0 when all is well`},
		"zeroes":       {file: "zeroes"},
		"a sample":     {file: "a-sample", unwell: `Prometheus says 0.25 for "errors`},
		"not a number": {file: "not-a-number", unwell: "Prometheus says NaN"},
		"a scalar":     {file: "a-scalar", unwell: "Prometheus says 0.25"},
		"a range":      {file: "a-range", wantErr: "gives a matrix; a gate needs an instant vector or a scalar"},
		"a string":     {file: "a-string", wantErr: `"string"`},
		"a bad query":  {status: 400, file: "a-bad-query", wantErr: "bad_data: invalid parameter"},
		"the second is bad": {
			body:   `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0"]},{"metric":{},"value":[1,"7"]}]}}`,
			unwell: "Prometheus says 7",
		},
		"not Prometheus": {status: 502, body: `<html>who is there`, wantErr: "<html>who is there"},
		"elsewhere":      {status: 302, body: ``, wantErr: "302"},
		"a sample too short": {
			body: `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}`, wantErr: "1 parts",
		},
		"a value of its type": {body: `{"status":"success","data":{"resultType":"scalar","result":[1,2]}}`, wantErr: "cannot unmarshal number"},
		"endless": {
			body:    `{"status":"success","data":{"resultType":"string","result":"` + strings.Repeat("x", maxAnswer) + `"}}`,
			wantErr: "bad_response",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := answers(t, `errors{app="web"}`, tc.status, tc.file, tc.body)
			gate := &v1alpha1.PrometheusGate{Address: server.URL + "/", Query: `errors{app="$name"}`}
			unwell, err := (&Gates{}).Ask(t.Context(), gate, Application{Namespace: "shop", Kind: "Deployment", Name: "web"})
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("error %v, want %q", err, tc.wantErr)
				}
				return
			}
			if err != nil || (unwell == "") != (tc.unwell == "") || !strings.Contains(unwell, tc.unwell) {
				t.Errorf("unwell %q, %v; want %q", unwell, err, tc.unwell)
			}
		})
	}
}

// person is a certificate for clients, that vouches for itself, and its key, both PEM.
func person(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now() //nolint:forbidigo // a certificate is of now
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})
}

// A Prometheus that wants TLS, a client certificate and a token is asked with those of the gate's Secret, and with nobody else's.
func TestCredentials(t *testing.T) {
	cert, key := person(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		if in.Header.Get("Authorization") != "Bearer secret" {
			out.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(out, `{"status":"success","data":{"resultType":"scalar","result":[1,"0"]}}`)
	}))
	people := x509.NewCertPool()
	people.AppendCertsFromPEM(cert)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: people}
	server.StartTLS()
	defer server.Close()
	whole := map[string][]byte{
		"address": []byte(server.URL), "token": []byte("secret\n"), "tls.crt": cert, "tls.key": key,
		"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
	for name, tc := range map[string]struct {
		without string
		change  func(secret *corev1.Secret, gate *v1alpha1.PrometheusGate)
		wantErr string
	}{
		"all of them":           {},
		"no authority":          {without: "ca.crt", wantErr: "unknown authority"},
		"no client certificate": {without: "tls.crt", wantErr: "tls"},
		"no token":              {without: "token", wantErr: "401"},
		"for another address":   {without: "address", wantErr: `is for address ""`},
		"somebody else's Secret": {change: func(secret *corev1.Secret, _ *v1alpha1.PrometheusGate) { secret.Type = corev1.SecretTypeOpaque },
			wantErr: `is of type "Opaque"`},
		"no such Secret": {change: func(_ *corev1.Secret, gate *v1alpha1.PrometheusGate) { gate.SecretName = "other" }, wantErr: "not found"},
		"in the clear": {change: func(secret *corev1.Secret, gate *v1alpha1.PrometheusGate) {
			gate.Address = strings.Replace(gate.Address, "https", "http", 1)
			secret.Data["address"] = []byte(gate.Address)
		}, wantErr: "over https alone"},
		"none named": {change: func(_ *corev1.Secret, gate *v1alpha1.PrometheusGate) { gate.SecretName = "" }, wantErr: "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.PrometheusSecretNamespace, Name: "prometheus"},
				Type: v1alpha1.PrometheusSecretType, Data: map[string][]byte{}}
			for key, value := range whole {
				if key != tc.without {
					secret.Data[key] = value
				}
			}
			gate := &v1alpha1.PrometheusGate{Address: server.URL, Query: "up", SecretName: "prometheus"}
			if tc.change != nil {
				tc.change(secret, gate)
			}
			gates := &Gates{Reader: fake.NewClientBuilder().WithObjects(secret).Build()}
			unwell, err := gates.Ask(t.Context(), gate, Application{})
			if (err == nil) != (tc.wantErr == "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) || unwell != "" {
				t.Errorf("%q, error %v; want %q", unwell, err, tc.wantErr)
			}
		})
	}
}
