package ports

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

func pool(t *testing.T) *Pool {
	t.Helper()
	p, err := NewPool()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Two labs that start at the same number must not meet.
func TestPoolsDoNotShare(t *testing.T) {
	seen := map[int]bool{}
	for _, p := range []*Pool{pool(t), pool(t)} {
		for range 50 {
			port, err := p.Take()
			if err != nil {
				t.Fatal(err)
			}
			if seen[port] {
				t.Fatalf("port %d was handed out twice", port)
			}
			if port < lowest || port > highest {
				t.Fatalf("port %d is outside %d-%d", port, lowest, highest)
			}
			seen[port] = true
		}
	}
}

func TestClaim(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port
	p := pool(t)
	if err := p.Claim(taken); err == nil || !strings.Contains(err.Error(), strconv.Itoa(taken)) {
		t.Errorf("claiming a port that is listened on: %v", err)
	}
	free, err := p.Take()
	if err != nil {
		t.Fatal(err)
	}
	other := pool(t)
	if err := other.Claim(free); err == nil || !strings.Contains(err.Error(), "claimed by another lab") {
		t.Errorf("claiming another lab's port: %v", err)
	}
	p.Close()
	if err := other.Claim(free); err != nil {
		t.Errorf("claiming a port that was given back: %v", err)
	}
}
