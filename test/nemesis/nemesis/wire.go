package nemesis

import (
	"context"
	"net"
	"net/url"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Mode is what a wire does with what is sent over it.
type Mode string

// The modes of a wire.
const (
	// Pass is a wire that is whole.
	Pass Mode = "pass"
	// Cut holds everything back in both directions, and tells nobody: connections stay open, as when a cable is pulled.
	Cut Mode = "cut"
	// HalfOpen lets questions through and holds the answers back.
	HalfOpen Mode = "half-open"
	// Slow lets everything through, late.
	Slow Mode = "slow"
	// Refuse ends all connections and accepts no new one.
	Refuse Mode = "refuse"
)

// lateness of each piece on a slow wire: a request of some pieces takes a second or two.
const lateness = 300 * time.Millisecond

// Wires are the network between the control plane and the members.
type Wires struct {
	clock clock.Clock

	mu    sync.Mutex
	moved *sync.Cond
	modes map[string]Mode
	// disturbed counts pieces held or late and connections ended, per member.
	disturbed map[string]int
	open      map[string]map[net.Conn]bool
}

// NewWires are whole.
func NewWires(c clock.Clock) *Wires {
	w := &Wires{clock: c, modes: map[string]Mode{}, disturbed: map[string]int{}, open: map[string]map[net.Conn]bool{}}
	w.moved = sync.NewCond(&w.mu)
	return w
}

// Route is lab.Options.MemberRoute. Its listener lives as long as the process.
func (w *Wires) Route(member, address string) (string, error) {
	server, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go w.accept(listener, member, server.Host)
	server.Host = listener.Addr().String()
	return server.String(), nil
}

func (w *Wires) accept(listener net.Listener, member, target string) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		if w.refuses(member) {
			near.Close()
			continue
		}
		far, err := net.Dial("tcp", target)
		if err != nil {
			near.Close()
			continue
		}
		w.keep(member, near, far)
		go w.carry(member, near, far, false)
		go w.carry(member, far, near, true)
	}
}

func (w *Wires) refuses(member string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.modes[member] != Refuse {
		return false
	}
	w.disturbed[member]++
	return true
}

func (w *Wires) keep(member string, conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[member] == nil {
		w.open[member] = map[net.Conn]bool{}
	}
	for _, c := range conns {
		w.open[member][c] = true
	}
}

func (w *Wires) forget(member string, conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(w.open[member], c)
	}
}

func (w *Wires) carry(member string, from, to net.Conn, answers bool) {
	defer w.forget(member, from, to)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			w.wait(member, answers)
			if _, failed := to.Write(buffer[:n]); failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait returns when a piece may go on.
func (w *Wires) wait(member string, answers bool) {
	w.mu.Lock()
	counted := false
	for w.modes[member] == Cut || answers && w.modes[member] == HalfOpen {
		if !counted {
			w.disturbed[member]++
			counted = true
		}
		w.moved.Wait()
	}
	slow := w.modes[member] == Slow
	if slow {
		w.disturbed[member]++
	}
	w.mu.Unlock()
	if slow {
		<-w.clock.After(lateness)
	}
}

// Set makes the wire to a member so, and returns how often it disturbed anything until now.
func (w *Wires) Set(member string, mode Mode) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.modes[member] = mode
	if mode == Refuse {
		for c := range w.open[member] {
			c.Close()
			w.disturbed[member]++
		}
	}
	w.moved.Broadcast()
	return w.disturbed[member]
}
