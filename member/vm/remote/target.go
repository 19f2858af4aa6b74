package remote

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/crypto/ssh"
)

// What is surely known; every other error may pass by itself.
var (
	// ErrHostKey: the machine showed a host key that is none of those its driver names. Nothing was sent to it.
	ErrHostKey = errors.New("the host key changed")
	// ErrFenced: a later holder of the lock has worked on this machine.
	ErrFenced = errors.New("a later holder works on this machine")
	// ErrBusy: other work of the same sequence goes on.
	ErrBusy = errors.New("other work goes on")
	// ErrKey: the private key cannot be used.
	ErrKey = errors.New("the private key cannot be used")
)

// Target is a machine, and how it is logged into.
type Target struct {
	// Address is host:port.
	Address string
	User    string
	// Key is the private key, as PEM.
	Key []byte
	// HostKeys are those the machine may show, as in known_hosts, without the host.
	HostKeys []string
}

// config of a connection; seen takes the reason why the host key was refused.
func (t Target) config(seen *error) (*ssh.ClientConfig, error) {
	signer, err := ssh.ParsePrivateKey(t.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	var keys []ssh.PublicKey
	var kinds []string
	for _, line := range t.HostKeys {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("the machine's driver names a host key that is none: %w", err)
		}
		keys = append(keys, key)
		if key.Type() == ssh.KeyAlgoRSA {
			kinds = append(kinds, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			kinds = append(kinds, key.Type())
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the machine's driver names no host key, so it cannot prove that it is the one")
	}
	return &ssh.ClientConfig{
		User: t.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyAlgorithms: kinds,
		HostKeyCallback: func(_ string, _ net.Addr, shown ssh.PublicKey) error {
			if !slices.ContainsFunc(keys, func(k ssh.PublicKey) bool { return bytes.Equal(k.Marshal(), shown.Marshal()) }) {
				*seen = fmt.Errorf("%w: it shows %s, which is none that its driver names", ErrHostKey, ssh.FingerprintSHA256(shown))
			}
			return *seen
		},
	}, nil
}
