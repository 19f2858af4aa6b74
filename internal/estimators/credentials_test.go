package estimators

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/estimator/pb"
	"github.com/karmada-io/karmada/pkg/estimator/service"

	. "github.com/onsi/gomega"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/internal/certificates"
	"github.com/argosy-dev/argosy/internal/config"
)

// guarded is an estimator behind TLS that remembers whom it spoke to, and whose connections can be cut.
type guarded struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	// own is its certificate; caller the name in the last one that was shown.
	own    tls.Certificate
	caller string
}

func (l *guarded) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, conn)
	return conn, err
}

// renew gives it another certificate, for connections to come: there are no others left.
func (l *guarded) renew(own tls.Certificate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.own = own
	for _, conn := range l.conns {
		_ = conn.Close() // its caller connects anew
	}
	l.conns = nil
}

func (l *guarded) lastCaller() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.caller
}

func guard(t *testing.T) *guarded {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &guarded{Listener: listener}
	server := grpc.NewServer(
		grpc.Creds(
			credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				l.mu.Lock()
				defer l.mu.Unlock()
				return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{l.own},
					ClientAuth: tls.RequireAnyClientCert,
					VerifyConnection: func(state tls.ConnectionState) error {
						l.mu.Lock()
						defer l.mu.Unlock()
						l.caller = state.PeerCertificates[0].Subject.CommonName
						return nil
					}}, nil
			}})))
	service.RegisterEstimatorServer(server, &answering{replicas: 14, asked: make(chan *pb.MaxAvailableReplicasRequest, 64)})
	go func() { _ = server.Serve(l) }() // ends with Stop
	t.Cleanup(server.Stop)
	return l
}

// issue writes a caller's certificate and the authority it trusts into the folder, and returns the server's certificate by the same
// authority.
func issue(t *testing.T, folder, caller string) tls.Certificate {
	t.Helper()
	now := clock.RealClock{}.Now() // TLS goes by the machine's
	authority, _, err := certificates.EnsureAuthority(certificates.Authority{}, now)
	if err != nil {
		t.Fatal(err)
	}
	serving, _, err := certificates.EnsureServing(certificates.Pair{}, authority, []string{"localhost"}, now)
	if err != nil {
		t.Fatal(err)
	}
	own, _, err := certificates.EnsureServing(certificates.Pair{}, authority, []string{caller}, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"ca.crt": authority.Trust, "tls.crt": own.Cert, "tls.key": own.Key} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(serving.Cert, serving.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestRenewedCertificatesNeedNoRestart: with the next connection the asker shows its new certificate and trusts the new authority, and no
// other.
func TestRenewedCertificatesNeedNoRestart(t *testing.T) {
	g := NewWithT(t)
	estimator, folder := guard(t), t.TempDir()
	estimator.renew(issue(t, folder, "first"))
	section := config.DefaultControllerManager().Controllers.FedHPA.Estimators
	section.TimeoutSeconds = 180
	section.CAFile, section.CertFile, section.KeyFile = filepath.Join(folder, "ca.crt"), filepath.Join(folder, "tls.crt"),
		filepath.Join(folder, "tls.key")
	svc := estimatorService(corev1.ServiceTypeExternalName, estimator.Addr().(*net.TCPAddr).Port)
	start := func() func() bool {
		asker, err := New(fake.NewClientBuilder().WithObjects(svc).Build(), section, clocktesting.NewFakeClock(time.Unix(0, 0)))
		g.Expect(err).NotTo(HaveOccurred())
		return func() bool {
			_, ok := asker.Free(t.Context(), "m1", &workv1alpha2.ResourceBinding{})
			return ok
		}
	}
	answers := start()
	g.Expect(answers()).To(BeTrue())
	g.Expect(estimator.lastCaller()).To(Equal("first"))

	estimator.renew(issue(t, folder, "second"))
	g.Eventually(answers, "180s").Should(BeTrue(), "the new authority is trusted")
	g.Expect(estimator.lastCaller()).To(Equal("second"), "the new certificate is shown")

	estimator.renew(issue(t, t.TempDir(), "stranger"))
	g.Expect(start()()).To(BeFalse(), "an estimator of another authority is not believed")
}
