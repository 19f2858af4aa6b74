package remote

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// keptFor is how long a connection stays open that nobody uses: work that goes on is looked at each two seconds, and a machine that is
	// well is visited so rarely that holding its connection would cost more than another handshake.
	keptFor = time.Minute
	// keptAtMost connections that nobody uses are open at a time, whatever the number of machines.
	keptAtMost = 256
)

// line is an open connection, which one caller uses at a time.
type line struct {
	wire   net.Conn
	client *ssh.Client
	// who may be reached over it.
	who   string
	timer *time.Timer
	// turn is when it was put back, in the order of all.
	turn int64
}

func (l *line) close() { _ = l.client.Close() }

// alive asks the machine for a sign of life, and waits no longer than that: it may have been switched off since, without a word.
func (l *line) alive(within time.Duration) bool {
	timer := time.AfterFunc(within, func() { _ = l.wire.Close() })
	_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
	return timer.Stop() && err == nil
}

// pool keeps connections that nobody uses, one for each machine and way of logging into it. Its zero value is an empty one.
type pool struct {
	mu   sync.Mutex
	kept map[string]*line
	turn int64
}

// take the one to that machine; nil: there is none.
func (p *pool) take(who string) *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.kept[who]
	if l != nil {
		delete(p.kept, who)
		l.timer.Stop()
	}
	return l
}

// put one back for that long. Where there are enough, the one that was unused for longest makes room.
func (p *pool) put(l *line, atMost int, idle time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil {
		p.kept = map[string]*line{}
	}
	if p.kept[l.who] != nil {
		l.close() // two were at work on one machine, and one is enough to keep
		return
	}
	for len(p.kept) >= atMost {
		oldest := l
		for _, other := range p.kept {
			if oldest == l || other.turn < oldest.turn {
				oldest = other
			}
		}
		p.remove(oldest)
	}
	p.turn++
	l.turn, p.kept[l.who] = p.turn, l
	l.timer = time.AfterFunc(idle, func() { p.drop(l) })
}

// drop a connection, unless somebody uses it.
func (p *pool) drop(l *line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept[l.who] == l {
		p.remove(l)
	}
}

// remove one that is kept; the lock is held.
func (p *pool) remove(l *line) {
	delete(p.kept, l.who)
	l.timer.Stop()
	l.close()
}

// identity is what must be the same for one connection to do for another.
func (t Target) identity() string {
	hash := sha256.New()
	_, _ = fmt.Fprintf(hash, "%q %q %q %q", t.Address, t.User, t.HostKeys, bytes.TrimSpace(t.Key))
	return hex.EncodeToString(hash.Sum(nil))
}
