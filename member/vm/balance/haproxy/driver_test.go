package haproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/argosy-dev/argosy/member/vm/balance"
)

// The driver is held against the real program by test/machines; here is what a real one does not do on demand.

const header = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time srv_port\n"

var of = balance.Pool{Namespace: "shop", Name: "web", Owner: "o"}

// instance that answers each command with what answer says; "" is no answer, with the connection left open.
func instance(t *testing.T, answer func(command string) string) *Driver {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { connection.Close() })
			go func() {
				command, err := bufio.NewReader(connection).ReadString('\n')
				if err != nil {
					return
				}
				if text := answer(strings.TrimSpace(command)); text != "" {
					_, _ = io.WriteString(connection, text)
					connection.Close()
				}
			}()
		}
	}()
	driver, err := New([]string{listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

func TestAnswers(t *testing.T) {
	ours := prefix(of)
	fine := header + "3 web 2 " + ours + "web-1 10.0.0.1 2 0 100 100 7 80\n3 web 3 fixed 10.0.0.9 2 0 1 1 7 80\n\n"
	for name, tc := range map[string]struct {
		answer string
		says   string
		sure   error
		seen   int
	}{
		"ours alone":            {answer: fine, seen: 1},
		"nobody":                {answer: header + "\n"},
		"no such pool":          {answer: "Can't find backend.\n\n", sure: balance.ErrNoPool, says: "no backend web"},
		"a version of tomorrow": {answer: strings.Replace(fine, "1\n#", "2\n#", 1), says: "no version that is known"},
		"columns moved": {
			answer: "1\n# srv_name srv_port srv_addr srv_admin_state srv_uweight\n" + ours + "a 80 10.0.0.1 8 20\n\n", seen: 1,
		},
		"columns missing":         {answer: "1\n# srv_name srv_addr\n" + ours + "a 10.0.0.1\n\n", says: "no column srv_port"},
		"broken off in a line":    {answer: header + "3 web 2 " + ours + "web-1 10.0\n", says: "breaks off"},
		"letters for numbers":     {answer: strings.Replace(fine, "100 100 7 80", "x 100 7 80", 1), says: "no numbers"},
		"no rights":               {answer: "Permission denied\n\n", says: "no version that is known"},
		"another program's page":  {answer: "HTTP/1.1 400 Bad request\r\n\r\n", says: "no version that is known"},
		"more than anybody reads": {answer: strings.Repeat("x", maxAnswer+10), says: "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			seen, err := instance(t, func(string) string { return tc.answer }).Observe(t.Context(), of)
			said := ""
			if err != nil {
				said = err.Error()
			}
			if len(seen) != tc.seen || !strings.Contains(said, tc.says) || (tc.says == "") != (err == nil) {
				t.Errorf("%+v, %q, want %q", seen, said, tc.says)
			}
			for _, sure := range []error{balance.ErrNoPool, balance.ErrInvalid} {
				if errors.Is(err, sure) != errors.Is(tc.sure, sure) {
					t.Errorf("%v: is %v", err, sure)
				}
			}
		})
	}
}

// TestNoAnswer: an instance that takes the connection and says nothing is not waited for longer than the caller waits.
func TestNoAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // in which a busy machine connects
	defer cancel()
	silent := instance(t, func(string) string { return "" })
	if err := silent.Ensure(ctx, of, nil); err == nil || errors.Is(err, balance.ErrNoPool) || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("got %v", err)
	}
	closed, err := New([]string{"127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	_, first := closed.Observe(t.Context(), of)
	_, again := closed.Observe(t.Context(), of)
	if first == nil || again == nil || first.Error() != again.Error() {
		t.Errorf("%v, then %v: what is said again should be the same", first, again)
	}
}

// TestRefusals: what HAProxy refuses is said in its own words, and the other members are put in.
func TestRefusals(t *testing.T) {
	var added []string
	driver := instance(t, func(command string) string {
		switch {
		case strings.HasPrefix(command, "show"):
			return header + "\n"
		case strings.Contains(command, "web-1"):
			return "Backend must use a dynamic load balancing to support dynamic servers.\n\n"
		case strings.HasPrefix(command, "add"):
			added = append(added, command)
			return "New server registered.\n\n"
		}
		return "\n"
	})
	err := driver.Ensure(t.Context(), of, []balance.Member{
		{ID: "web-1", Address: "10.0.0.1", Port: 80, Weight: 100}, {ID: "web-2", Address: "fd00::1", Port: 80, Weight: 20},
	})
	if err == nil || !strings.Contains(err.Error(), "must use a dynamic load balancing") {
		t.Errorf("got %v", err)
	}
	if len(added) != 1 || added[0] != "add server web/"+prefix(of)+"web-2 [fd00::1]:80 weight 20" {
		t.Errorf("added %q", added)
	}
}

// TestClustersShareABackend: servers of one name, of two members with the same HAProxy, are two, and neither member touches the other's.
func TestClustersShareABackend(t *testing.T) {
	var mu sync.Mutex
	lines := map[string]string{}
	driver := instance(t, func(command string) string {
		mu.Lock()
		defer mu.Unlock()
		words := strings.Fields(command)
		switch words[0] + " " + words[1] {
		case "show servers":
			return header + strings.Join(slices.Sorted(maps.Values(lines)), "") + "\n"
		case "add server":
			address, port, _ := strings.Cut(words[3], ":")
			name := strings.TrimPrefix(words[2], "web/")
			lines[name] = fmt.Sprintf("3 web 2 %s %s 2 0 %s 100 7 %s\n", name, address, words[5], port)
			return "New server registered.\n\n"
		case "del server":
			delete(lines, strings.TrimPrefix(words[2], "web/"))
			return "Server deleted.\n\n"
		}
		return "\n"
	})
	for range 2 {
		for cluster, address := range map[string]string{"member1": "10.0.1.1", "member2": "10.0.2.1"} {
			pool := of
			pool.Cluster = cluster
			if err := driver.Ensure(t.Context(), pool, []balance.Member{{ID: "web-1.public", Address: address, Port: 80, Weight: 100}}); err != nil {
				t.Fatal(err)
			}
			if seen, err := driver.Observe(t.Context(), pool); err != nil || len(seen) != 1 || seen[0].Address != address {
				t.Errorf("%s sees %+v, %v", cluster, seen, err)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(lines) != 2 {
		t.Errorf("the backend has %q", lines)
	}
}

// TestNoCommandsInNames: what people write ends no command and begins no other.
func TestNoCommandsInNames(t *testing.T) {
	asked := 0
	driver := instance(t, func(string) string {
		asked++
		return header + "\n"
	})
	for _, bad := range []string{"", "a b", "a;shutdown frontend f", "a\nshutdown", "a/b", "a<<", strings.Repeat("a", 400)} {
		err := driver.Ensure(t.Context(), of, []balance.Member{{ID: bad, Address: "10.0.0.1", Port: 80}})
		if !errors.Is(err, balance.ErrInvalid) {
			t.Errorf("member %q: %v", bad, err)
		}
		before := asked
		if _, err := driver.Observe(t.Context(), balance.Pool{Name: bad}); !errors.Is(err, balance.ErrInvalid) || asked != before {
			t.Errorf("pool %q: %v, asked %d times", bad, err, asked-before)
		}
	}
}

func TestNew(t *testing.T) {
	for _, bad := range [][]string{nil, {""}, {"10.0.0.1"}, {":9999"}, {"unix:relative"}, {"unix:"}, {"10.0.0.1:9999", "nonsense"}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := New([]string{"10.0.0.1:9999", "[fd00::1]:9999", "unix:/run/haproxy.sock"}); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(header + "3 web 2 argosy:x:web-1 10.0.0.1 2 0 100 100 7 80\n")
	f.Add("1\n# srv_name\n")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parse(text, "argosy:x:")
		if err != nil && found != nil {
			t.Error("an error, and servers")
		}
	})
}
