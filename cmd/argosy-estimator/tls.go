package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	certutil "k8s.io/client-go/util/cert"
)

// credentials follow karmada-scheduler-estimator: no certificate, no TLS; with a client authority, clients must show a certificate. Half a
// pair is a mistake that must not end in a service without TLS.
func (o *flagOptions) credentials() (credentials.TransportCredentials, error) {
	switch {
	case o.certFile == "" && o.keyFile == "":
		return insecure.NewCredentials(), nil
	case o.certFile == "":
		return nil, errors.New("--grpc-auth-key-file is given without --grpc-auth-cert-file")
	case o.keyFile == "":
		return nil, errors.New("--grpc-auth-cert-file is given without --grpc-auth-key-file")
	}
	// What cannot be read now must stop the start; what cannot be read later fails the handshakes until it can.
	if _, err := o.serverTLS(); err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return o.serverTLS() },
	}), nil
}

// serverTLS reads the files anew for every handshake, so that a rotated certificate or authority needs no restart. karmada-scheduler keeps
// its connections: handshakes are few.
func (o *flagOptions) serverTLS() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate (--grpc-auth-cert-file, --grpc-auth-key-file): %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}}
	if o.clientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(o.clientCA)
	if err != nil {
		return nil, fmt.Errorf("reading the client authority (--grpc-client-ca-file): %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s (--grpc-client-ca-file) holds no certificate", o.clientCA)
	}
	if !o.skipClientVerify {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// metricsTLS is that of metrics served securely: the service's own certificate, read anew for every handshake, or where it has none one
// made at each start and signed by nobody.
func (o *flagOptions) metricsTLS() (*tls.Config, error) {
	if o.certFile != "" {
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
			return &certificate, err
		}}, nil
	}
	certificate, key, err := certutil.GenerateSelfSignedCertKey("argosy-estimator", nil, nil)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for the metrics: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for the metrics: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}
