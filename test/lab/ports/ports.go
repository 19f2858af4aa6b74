// Package ports hands out free TCP ports on 127.0.0.1 without races between labs.
//
// A port chosen by listening on :0 and closing again can be taken by anyone before the child
// binds it. Here a port comes from below the range the kernel uses for outgoing connections, and
// is claimed by a locked file for as long as the lab lives, so neither another lab nor a client
// connection takes it in between. The lock goes when the process does.
package ports

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	// lowest..highest stays clear of well-known ports, Kubernetes NodePorts (30000-32767) and
	// Linux's outgoing ports (32768-60999).
	lowest  = 20000
	highest = 29999
)

// Pool claims ports until Close.
type Pool struct {
	dir  string
	next int
	held []*os.File
}

// NewPool starts at a place that differs between processes, so that labs seldom meet.
func NewPool() (*Pool, error) {
	dir, err := Own("argosy-ports")
	if err != nil {
		return nil, fmt.Errorf("finding a folder for locks of ports: %w", err)
	}
	return &Pool{dir: dir, next: lowest + (os.Getpid()*131)%(highest-lowest)}, nil
}

// Take claims a free port.
func (p *Pool) Take() (int, error) {
	for range highest - lowest {
		port := p.next
		if p.next++; p.next > highest {
			p.next = lowest
		}
		if err := p.Claim(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d on 127.0.0.1", lowest, highest)
}

// Claim claims the given port, or says that it is taken.
func (p *Pool) Claim(port int) error {
	f, err := os.OpenFile(filepath.Join(p.dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("claiming port %d: %w", port, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("port %d is claimed by another lab", port)
	}
	if err := free(port); err != nil {
		f.Close()
		return err
	}
	p.held = append(p.held, f)
	return nil
}

// free tells whether every address a component may bind is free.
func free(port int) error {
	for _, host := range []string{"127.0.0.1", ""} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("port %d is taken by another program: find it with 'ss -ltnp sport = :%d', or choose another port", port, port)
		}
		if err != nil {
			return fmt.Errorf("trying port %d: %w", port, err)
		}
		l.Close()
	}
	return nil
}

// Close gives all ports back.
func (p *Pool) Close() {
	for _, f := range p.held {
		f.Close()
	}
	p.held = nil
}
