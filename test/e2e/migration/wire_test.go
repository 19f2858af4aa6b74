package migration

import (
	"net"
	"net/url"
	"sync"
)

// wire is the network between the agents and karmada-apiserver. While it is cut nothing passes in either direction, and nobody is
// told: connections stay open, as they do when a cable is pulled.
type wire struct {
	passing sync.RWMutex
	isCut   bool
}

// route lets agents reach the server at address through the wire.
func (w *wire) route(address string) (string, error) {
	server, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	target := server.Host
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			go w.carry(near, far)
			go w.carry(far, near)
		}
	}()
	server.Host = listener.Addr().String()
	return server.String(), nil
}

func (w *wire) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			w.passing.RLock()
			_, failed := to.Write(buffer[:n])
			w.passing.RUnlock()
			if failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) cut() {
	if !w.isCut {
		w.passing.Lock()
		w.isCut = true
	}
}

func (w *wire) heal() {
	if w.isCut {
		w.isCut = false
		w.passing.Unlock()
	}
}
