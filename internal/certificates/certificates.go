package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Lifetimes. A certificate is renewed when less than a third of its life is left: a renewal that runs every day then
// has a month of failures before anyone notices.
const (
	AuthorityLife = 5 * 365 * 24 * time.Hour
	ServingLife   = 90 * 24 * time.Hour
)

// skew lets a caller's clock run behind ours.
const skew = 5 * time.Minute

// Pair is a certificate and its key in PEM.
type Pair struct {
	Cert, Key []byte
}

// Authority signs, and is trusted.
type Authority struct {
	Pair
	// Trust holds the current certificate first, then earlier ones that have not expired, in PEM.
	Trust []byte
}

// EnsureAuthority keeps the authority, or makes a new one that leaves the old one trusted. The reason is empty when nothing changed.
func EnsureAuthority(have Authority, now time.Time) (Authority, string, error) {
	reason := ""
	cert, _, err := have.decode()
	switch {
	case len(have.Cert) == 0:
		reason = "there was none"
	case err != nil:
		reason = err.Error()
	case !cert.IsCA:
		reason = "it was no authority"
	case due(cert, now):
		reason = "it ends at " + cert.NotAfter.UTC().Format(time.RFC3339)
	}
	if reason == "" {
		return Authority{Pair: have.Pair, Trust: Trust(now, have.Cert, have.Trust)}, "", nil
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "argosy-ca", SerialNumber: now.UTC().Format("20060102150405")},
		IsCA:    true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		NotAfter: now.Add(AuthorityLife),
	}
	pair, err := sign(template, nil, now)
	if err != nil {
		return Authority{}, "", fmt.Errorf("making an authority: %w", err)
	}
	return Authority{Pair: pair, Trust: Trust(now, pair.Cert, have.Cert, have.Trust)}, reason, nil
}

// EnsureServing keeps the serving certificate, or makes a new one. The reason is empty when nothing changed.
func EnsureServing(have Pair, authority Authority, names []string, now time.Time) (Pair, string, error) {
	ca, _, err := authority.decode()
	if err != nil {
		return Pair{}, "", fmt.Errorf("reading the authority: %w", err)
	}
	reason := ""
	cert, _, err := have.decode()
	switch {
	case len(have.Cert) == 0:
		reason = "there was none"
	case err != nil:
		reason = err.Error()
	case !slices.Equal(cert.DNSNames, names):
		reason = fmt.Sprintf("it was for %v, not for %v", cert.DNSNames, names)
	case cert.CheckSignatureFrom(ca) != nil:
		reason = "another authority signed it"
	case due(cert, now):
		reason = "it ends at " + cert.NotAfter.UTC().Format(time.RFC3339)
	}
	if reason == "" {
		return have, "", nil
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		DNSNames:    names,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// Never longer than who signs it.
		NotAfter: earlier(now.Add(ServingLife), ca.NotAfter),
	}
	pair, err := sign(template, &authority.Pair, now)
	if err != nil {
		return Pair{}, "", fmt.Errorf("making a serving certificate: %w", err)
	}
	return pair, reason, nil
}

// Trust joins bundles: each certificate once, in order, without those that have expired or cannot be read.
func Trust(now time.Time, bundles ...[]byte) []byte {
	var out []byte
	seen := map[string]bool{}
	for _, bundle := range bundles {
		for rest := bundle; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil || now.After(cert.NotAfter) || seen[string(block.Bytes)] {
				continue
			}
			seen[string(block.Bytes)] = true
			out = append(out, pem.EncodeToMemory(block)...)
		}
	}
	return out
}

func (p Pair) decode() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	cert, err := parse(p.Cert)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(p.Key)
	if block == nil {
		return nil, nil, errors.New("its key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("its key cannot be read: %w", err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || !ec.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, errors.New("its key is another's")
	}
	return cert, ec, nil
}

func parse(bundle []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(bundle)
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	return cert, nil
}

func due(cert *x509.Certificate, now time.Time) bool {
	return now.After(cert.NotAfter.Add(-cert.NotAfter.Sub(cert.NotBefore) / 3))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// sign makes a key and a certificate; without a parent the certificate signs itself.
func sign(template *x509.Certificate, parent *Pair, now time.Time) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return Pair{}, err
	}
	template.NotBefore = now.Add(-skew)
	signer, signerKey := template, key
	if parent != nil {
		if signer, signerKey, err = parent.decode(); err != nil {
			return Pair{}, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, &key.PublicKey, signerKey)
	if err != nil {
		return Pair{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}, nil
}
