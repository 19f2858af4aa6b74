package servers

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/schema"
	"github.com/argosy-dev/argosy/member/vm/environment"
	"github.com/argosy-dev/argosy/member/vm/facts"
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
		if err := unbelievable(m); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestMoreThanThereIsRoomFor is no answer: a status with it would be refused whole, and the Server stand still without a word. As much as a
// Server's schema takes is one.
func TestMoreThanThereIsRoomFor(t *testing.T) {
	servers, err := schema.Of(v1alpha1.GroupVersion.WithKind("Server"))
	if err != nil {
		t.Fatal(err)
	}
	admitted := func(server *v1alpha1.Server) error {
		t.Helper()
		server.Spec.Machine = v1alpha1.Machine{Driver: "http", Image: "debian"}
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(server)
		if err != nil {
			t.Fatal(err)
		}
		return servers.Admit(t.Context(), &unstructured.Unstructured{Object: object}).ToAggregate()
	}
	long := func(n int) string { return strings.Repeat("ä", n) }
	addresses := func(n int, text string) (out []corev1.NodeAddress) {
		for range n {
			out = append(out, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: text})
		}
		return out
	}
	keys := func(n int, text string) (out []string) {
		for range n {
			out = append(out, text)
		}
		return out
	}
	for name, tc := range map[string]struct {
		machine machine.Machine
		fits    bool
	}{
		"as much as there is room for": {fits: true, machine: machine.Machine{
			ID: long(512), BootID: long(128), Addresses: addresses(16, strings.Repeat("a", 253)), HostKeys: keys(8, long(2048)),
		}},
		"a long name":        {machine: machine.Machine{ID: long(513)}},
		"a long boot":        {machine: machine.Machine{ID: "i", BootID: long(129)}},
		"many addresses":     {machine: machine.Machine{ID: "i", Addresses: addresses(17, "10.0.0.1")}},
		"a book for address": {machine: machine.Machine{ID: "i", Addresses: addresses(1, strings.Repeat("a", 1<<20))}},
		"many keys":          {machine: machine.Machine{ID: "i", HostKeys: keys(9, "ssh-ed25519 A")}},
		"a long key":         {machine: machine.Machine{ID: "i", HostKeys: keys(1, long(2049))}},
	} {
		tc.machine.State = v1alpha1.MachineRunning
		server := &v1alpha1.Server{Spec: v1alpha1.ServerSpec{ProviderID: tc.machine.ID}}
		server.Status.Creation = &v1alpha1.Creation{Key: "k", State: v1alpha1.CreationPending, At: &metav1.Time{Time: time.Unix(0, 0)}}
		facts.Reading{Machine: tc.machine}.Write(&server.Status, 1, facts.Missing{}, time.Unix(0, 0))
		refused := admitted(server)
		if err := unbelievable(tc.machine); (err == nil) != tc.fits || err == nil && refused != nil {
			t.Errorf("%s: %v; the schema says %v", name, err, refused)
		}
	}
	for record, fits := range map[string]bool{
		`{"name":"` + long(253) + `","version":"` + long(128) + `"}`: true,
		`{"name":"` + long(254) + `","version":"1"}`:                 false,
		`{"name":"jdk","version":"` + long(129) + `"}`:               false,
	} {
		found, err := environment.Read([]byte(record))
		server := &v1alpha1.Server{}
		for _, f := range found {
			server.Status.Packages = append(server.Status.Packages, v1alpha1.InstalledPackage{Name: f.Name, Version: f.Version})
		}
		if refused := admitted(server); (err == nil) != fits || refused != nil {
			t.Errorf("a record of %d bytes: %v; the schema says %v", len(record), err, refused)
		}
	}
}
