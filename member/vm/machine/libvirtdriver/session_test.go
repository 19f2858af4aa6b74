package libvirtdriver

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/argosy-dev/argosy/member/vm/machine"
)

// The driver is held against a real libvirtd by test/machines; here is what a real one does not do on demand.

func options(address string) Options {
	return Options{Address: address, URI: "test:///default", Type: "test", Images: "default", Pool: "default", Network: "default"}
}

// TestNoAnswer: who takes the connection and says nothing is waited for no longer than the caller waits, and nothing is known then.
func TestNoAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	driver, err := New(options("unix:" + path))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second makes a connection of its own
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := driver.Get(ctx, machine.Call{Key: "a"})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, machine.ErrGone) {
			t.Errorf("got %v", err)
		}
	}
	listener.Close()
	if _, err := driver.List(t.Context(), machine.Call{}, "o"); err == nil {
		t.Error("nobody is there, and no machine is listed")
	}
}

func TestNew(t *testing.T) {
	for _, bad := range []string{"", "unix:relative", "/run/libvirt/libvirt-sock", "tcp:host:16509", "tls:host", "tls::16514"} {
		if _, err := New(options(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := New(options("tls:host:16514")); err == nil {
		t.Error("TLS without certificates is taken")
	}
	whole := options("unix:/run/libvirt/libvirt-sock")
	if _, err := New(whole); err != nil {
		t.Error(err)
	}
	whole.Pool = ""
	if _, err := New(whole); err == nil {
		t.Error("no pool is taken")
	}
}

// TestNamesFollowFromKeys: a UUID is its own, and no two keys share one.
func TestNamesFollowFromKeys(t *testing.T) {
	const key = "6b0b6f3e-3b1f-4c59-9d0f-3b1f4c599d0f"
	if id := idOf(key); id != idOf(key) || id == tombstoneOf(key) || id == idOf("a") || idOf("a") == idOf("b") {
		t.Errorf("%v", id)
	}
	m, err := parseMark(mark{Key: key, Owner: `<"&'>`, Name: "shop/web-1", Sequence: 7, Stage: started}.element(true))
	if err != nil || m.Owner != `<"&'>` || m.Sequence != 7 || m.Stage != started || m.Key != key {
		t.Errorf("%+v, %v", m, err)
	}
}
