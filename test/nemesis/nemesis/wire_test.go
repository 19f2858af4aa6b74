package nemesis

import (
	"bufio"
	"net"
	"net/url"
	"testing"
	"time"

	"k8s.io/utils/clock"
)

// echo answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					_, _ = conn.Write(append(lines.Bytes(), '\n'))
				}
			}()
		}
	}()
	return "https://" + listener.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// says tells what comes back within a while.
func says(t *testing.T, conn net.Conn, line string, within time.Duration) string {
	t.Helper()
	if line != "" {
		if _, err := conn.Write([]byte(line + "\n")); err != nil {
			return "closed"
		}
	}
	if err := conn.SetReadDeadline(clock.RealClock{}.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	switch e, ok := err.(net.Error); { //nolint:errorlint // a connection's own error
	case err == nil:
		return answer[:len(answer)-1]
	case ok && e.Timeout():
		return "nothing"
	default:
		return "closed"
	}
}

func TestWires(t *testing.T) {
	t.Parallel()
	const long, short = time.Minute, 400 * time.Millisecond
	for _, mode := range []Mode{Cut, HalfOpen} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := NewWires(clock.RealClock{})
			address, err := w.Route("member1", echo(t))
			if err != nil {
				t.Fatal(err)
			}
			conn := dial(t, address)
			if got := says(t, conn, "a", long); got != "a" {
				t.Fatalf("whole: %s", got)
			}
			w.Set("member1", mode)
			if got := says(t, conn, "b", short); got != "nothing" {
				t.Errorf("%s: %s", mode, got)
			}
			if n := w.Set("member1", Pass); n == 0 {
				t.Error("nothing was disturbed")
			}
			if got := says(t, conn, "", long); got != "b" {
				t.Errorf("healed: %s", got)
			}
		})
	}
	t.Run("refuse", func(t *testing.T) {
		t.Parallel()
		w := NewWires(clock.RealClock{})
		address, err := w.Route("member1", echo(t))
		if err != nil {
			t.Fatal(err)
		}
		conn := dial(t, address)
		says(t, conn, "a", long)
		w.Set("member1", Refuse)
		if got := says(t, conn, "b", long); got != "closed" {
			t.Errorf("an open connection: %s", got)
		}
		if got := says(t, dial(t, address), "c", long); got != "closed" {
			t.Errorf("a new connection: %s", got)
		}
		w.Set("member1", Pass)
		if got := says(t, dial(t, address), "d", long); got != "d" {
			t.Errorf("healed: %s", got)
		}
	})
	t.Run("other members are left alone", func(t *testing.T) {
		t.Parallel()
		w := NewWires(clock.RealClock{})
		address, err := w.Route("member2", echo(t))
		if err != nil {
			t.Fatal(err)
		}
		w.Set("member1", Cut)
		if got := says(t, dial(t, address), "a", long); got != "a" {
			t.Errorf("member2: %s", got)
		}
	})
}
