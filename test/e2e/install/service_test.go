package install

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// service sends each new connection to the next replica that lives, as kube-proxy does.
type service struct {
	port int
	mu   sync.Mutex
	next int
	pods []*pod
}

func newService(t *testing.T) *service {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{port: listener.Addr().(*net.TCPAddr).Port}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.forward(conn)
		}
	}()
	return s
}

func (s *service) add(p *pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods = append(s.pods, p)
}

// remove ends sending to a replica, as kube-proxy does when it has heard that it is not ready.
func (s *service) remove(p *pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.left = true
}

// endpoint is the next replica whose process runs.
func (s *service) endpoint() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range s.pods {
		p := s.pods[s.next%len(s.pods)]
		s.next++
		select {
		case <-p.Done():
		default:
			if !p.left {
				return p.address, nil
			}
		}
	}
	return "", errors.New("no replica is ready")
}

func (s *service) forward(in net.Conn) {
	defer in.Close()
	address, err := s.endpoint()
	if err != nil {
		return
	}
	out, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer out.Close()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() {
			// A cut connection is what this test is about: the caller sees it.
			_, _ = io.Copy(pair[0], pair[1])
			done <- struct{}{}
		}()
	}
	<-done
}
