package estimators

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/argosy-dev/argosy/internal/config"
)

func estimatorCredentials(cfg config.Estimators) (credentials.TransportCredentials, error) {
	if cfg.CAFile == "" && !cfg.InsecureSkipServerVerify {
		return insecure.NewCredentials(), nil
	}
	// What cannot be read now must stop the start; what cannot be read later fails the handshakes until it can.
	first, err := readCredentials(cfg)
	if err != nil {
		return nil, err
	}
	return renewed{TransportCredentials: first, cfg: cfg}, nil
}

// renewed reads the files anew for every handshake, so that a renewed certificate or authority needs no restart. Connections are kept:
// handshakes are few.
type renewed struct {
	credentials.TransportCredentials
	cfg config.Estimators
}

// ClientHandshake implements credentials.TransportCredentials.
func (r renewed) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	fresh, err := readCredentials(r.cfg)
	if err != nil {
		return nil, nil, err
	}
	return fresh.ClientHandshake(ctx, authority, conn)
}

// Clone implements credentials.TransportCredentials.
func (r renewed) Clone() credentials.TransportCredentials { return r }

func readCredentials(cfg config.Estimators) (credentials.TransportCredentials, error) {
	// The name in an estimator's certificate is not that of every ExternalName; the operator may switch the check off, as for
	// karmada-scheduler.
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: cfg.InsecureSkipServerVerify}
	if cfg.CAFile != "" {
		ca, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading estimators.caFile: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("estimators.caFile holds no certificate")
		}
	}
	if cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading estimators.certFile and keyFile: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(conf), nil
}
