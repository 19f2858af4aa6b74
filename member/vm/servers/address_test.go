package servers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/argosy-dev/argosy/member/vm/machine"
)

// TestOwnAddress: what leads back to whoever uses it is no machine's address.
func TestOwnAddress(t *testing.T) {
	for address, want := range map[string]bool{
		"10.0.0.1": true, "fd00::1": true, "web-1.example.com": true, "": true,
		"127.0.0.1": false, "127.8.9.10": false, "::1": false, "0.0.0.0": false, "::": false, "224.0.0.1": false, "localhost": false,
		"::ffff:127.0.0.1": false,
	} {
		m := machine.Machine{ID: "vm-1", Addresses: []corev1.NodeAddress{{Address: "10.0.0.9"}, {Address: address}}}
		if err := ownAddress(m); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
}
