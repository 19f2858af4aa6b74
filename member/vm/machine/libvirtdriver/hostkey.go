package libvirtdriver

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Files of QEMU's firmware configuration by which a machine is told who it is; Linux shows them below
// /sys/firmware/qemu_fw_cfg/by_name.
const (
	// fileUserData are the user data that the set names.
	fileUserData = "opt/dev.argosy/user-data"
	// fileHostKey is the private host key of the machine's SSH server, in OpenSSH's form.
	fileHostKey = "opt/dev.argosy/ssh-host-key"
)

// newHostKey is one for a machine that is made: private, as PEM, and public as known_hosts has it without the host.
func newHostKey() (private, public string, err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("making a host key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return "", "", fmt.Errorf("writing a host key: %w", err)
	}
	signer, err := ssh.NewSignerFromSigner(key)
	if err != nil {
		return "", "", fmt.Errorf("reading a host key: %w", err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), nil
}
