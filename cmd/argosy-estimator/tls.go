package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// serverTLS reads the certificate anew for every handshake, so that a rotated one needs no restart.
func serverTLS(certFile, keyFile, clientCA string, skipVerify bool) (*tls.Config, error) {
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		return nil, fmt.Errorf("reading the certificate (--grpc-auth-cert-file, --grpc-auth-key-file): %w", err)
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
			return &certificate, err
		},
	}
	if clientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, fmt.Errorf("reading the client authority (--grpc-client-ca-file): %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s (--grpc-client-ca-file) holds no certificate", clientCA)
	}
	if !skipVerify {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}
