package machines

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/member/vm/balance"
	"github.com/argosy-dev/argosy/member/vm/balance/balancetest"
	"github.com/argosy-dev/argosy/member/vm/balance/haproxy"
	"github.com/argosy-dev/argosy/test/machines/debian"
	"github.com/argosy-dev/argosy/test/machines/proxy"
)

// haproxyAt and libvirtAt are where their packages are; apt is asked once.
var (
	haproxyAt = sync.OnceValues(func() (debian.Root, error) { return debian.Unpack(context.Background(), "haproxy") })
	libvirtAt = sync.OnceValues(func() (debian.Root, error) { return debian.Unpack(context.Background(), "libvirt-daemon") })
)

// proxied is one real HAProxy of a test.
type proxied struct {
	*proxy.Proxy
	t *testing.T
}

func newProxy(t *testing.T) *proxied {
	t.Helper()
	root, err := haproxyAt()
	if err != nil {
		t.Fatal(err)
	}
	one, err := proxy.Start(t.Context(), root, proxy.Options{
		Defaults: "  timeout connect 2s\n  timeout client 10s\n  timeout server 10s\n  retries 0",
		Backend:  "web", Servers: "  server fixed 192.0.2.7:80 disabled", Said: t.Output(),
	})
	if one != nil {
		t.Cleanup(one.Close)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &proxied{Proxy: one, t: t}
}

func (p *proxied) start() {
	p.t.Helper()
	if err := p.Resume(context.WithoutCancel(p.t.Context())); err != nil {
		p.t.Fatal(err)
	}
}

// others are the servers that HAProxy's own configuration names.
func (p *proxied) others() string {
	p.t.Helper()
	state, err := p.Ask("show servers state web")
	if err != nil {
		p.t.Fatal(err)
	}
	var out []string
	for _, text := range strings.Split(state, "\n") {
		if fields := strings.Fields(text); len(fields) > 8 && fields[0] != "#" && !strings.HasPrefix(fields[3], "argosy:") {
			out = append(out, strings.Join(fields[3:9], " "))
		}
	}
	return strings.Join(out, "\n")
}

// backends that answer with their own address, at one port of several loopback addresses.
func backends(t *testing.T) (addresses []string, port int32) {
	t.Helper()
	var listeners []net.Listener
	for i := range 3 {
		address := fmt.Sprintf("127.0.77.%d", i+1)
		listener, err := net.Listen("tcp", net.JoinHostPort(address, fmt.Sprint(port)))
		if err != nil {
			t.Fatal(err)
		}
		port = int32(listener.Addr().(*net.TCPAddr).Port)
		addresses, listeners = append(addresses, address), append(listeners, listener)
	}
	for i, listener := range listeners {
		server := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, addresses[i]) }), ReadHeaderTimeout: time.Minute,
		}
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(func() { server.Close() })
	}
	return addresses, port
}

// traffic through the proxy, counted by who answered.
func (p *proxied) traffic(requests int) map[string]int {
	p.t.Helper()
	client := p.Client(30 * time.Second)
	defer client.CloseIdleConnections()
	out := map[string]int{}
	for range requests {
		response, err := client.Get("http://web.example.com/")
		if err != nil {
			out[err.Error()]++
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			body = fmt.Appendf(nil, "HTTP %d %v", response.StatusCode, err)
		}
		out[string(body)]++
	}
	return out
}

func rig(t *testing.T, instances int) balancetest.Rig {
	var proxies []*proxied
	var sockets []string
	for range instances {
		p := newProxy(t)
		proxies, sockets = append(proxies, p), append(sockets, "unix:"+p.Admin())
	}
	driver, err := haproxy.New(sockets)
	if err != nil {
		t.Fatal(err)
	}
	addresses, port := backends(t)
	last := proxies[len(proxies)-1]
	return balancetest.Rig{
		Driver: driver, Pool: balance.Pool{Namespace: "shop", Name: "web", Owner: "of-this-test"},
		Addresses: addresses, Port: port, Weights: true,
		Nowhere: "nowhere", Others: last.others, Traffic: last.traffic,
		Break: func() func() {
			last.Stop()
			return last.start
		},
		Restart: func() {
			for _, p := range proxies {
				p.Stop()
				p.start()
			}
		},
	}
}

// TestHAProxy holds the driver against the real program.
func TestHAProxy(t *testing.T) {
	for name, instances := range map[string]int{"one": 1, "two that are told the same": 2} {
		t.Run(name, func(t *testing.T) {
			balancetest.Run(t, func(t *testing.T) balancetest.Rig { return rig(t, instances) })
		})
	}
}

// TestHAProxiesThatDiffer: a member is attached when every instance has it, and gone when none has.
func TestHAProxiesThatDiffer(t *testing.T) {
	first, second := newProxy(t), newProxy(t)
	newDriver := func(proxies ...*proxied) *haproxy.Driver {
		var sockets []string
		for _, p := range proxies {
			sockets = append(sockets, "unix:"+p.Admin())
		}
		driver, err := haproxy.New(sockets)
		if err != nil {
			t.Fatal(err)
		}
		return driver
	}
	both := newDriver(first, second)
	pool := balance.Pool{Namespace: "shop", Name: "web", Owner: "of-this-test"}
	member := balance.Member{ID: "web-1", Address: "192.0.2.1", Port: 80, Weight: 100}
	want := func(mixed bool) {
		t.Helper()
		seen, err := both.Observe(t.Context(), pool)
		if err != nil || len(seen) != 1 || seen[0].Mixed != mixed {
			t.Errorf("%+v, %v, want mixed %t", seen, err, mixed)
		}
	}
	if err := newDriver(first).Ensure(t.Context(), pool, []balance.Member{member}); err != nil {
		t.Fatal(err)
	}
	want(true)
	if err := both.Ensure(t.Context(), pool, []balance.Member{member}); err != nil {
		t.Fatal(err)
	}
	want(false)
	member.Draining = true
	if err := newDriver(second).Ensure(t.Context(), pool, []balance.Member{member}); err != nil {
		t.Fatal(err)
	}
	want(true)
	// A person's maintenance by HAProxy's own means is neither in service nor out of it; the next assertion ends it.
	if err := both.Ensure(t.Context(), pool, []balance.Member{member}); err != nil {
		t.Fatal(err)
	}
	state, err := first.Ask("show servers state web")
	if err != nil {
		t.Fatal(err)
	}
	name := state[strings.Index(state, "argosy:"):]
	if answer, err := first.Ask("set server web/" + strings.Fields(name)[0] + " state maint"); err != nil || strings.TrimSpace(answer) != "" {
		t.Fatalf("%q, %v", answer, err)
	}
	want(true)

	// One that does not answer holds up no other, and nothing is known of the whole.
	second.Stop()
	member.Draining, member.ID = false, "web-2"
	if err := both.Ensure(t.Context(), pool, []balance.Member{member}); err == nil {
		t.Error("one instance is away, and nobody says so")
	}
	if seen, err := newDriver(first).Observe(t.Context(), pool); err != nil || len(seen) != 1 || seen[0].ID != "web-2" || seen[0].Mixed {
		t.Errorf("%+v, %v", seen, err)
	}
	if _, err := both.Observe(t.Context(), pool); err == nil {
		t.Error("one instance is away, and all is known")
	}
}

// TestOpenConnections: who is removed loses the connections it has, and the removal comes to its end.
func TestOpenConnections(t *testing.T) {
	r := rig(t, 1)
	hold := make(chan struct{})
	arrived := make(chan struct{}, 1)
	listener, err := net.Listen("tcp", "127.0.77.9:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-hold
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { close(hold); server.Close() })
	member := balance.Member{ID: "slow", Address: "127.0.77.9", Port: int32(listener.Addr().(*net.TCPAddr).Port), Weight: 100}
	if err := r.Driver.Ensure(t.Context(), r.Pool, []balance.Member{member}); err != nil {
		t.Fatal(err)
	}
	done := make(chan map[string]int, 1)
	go func() { done <- r.Traffic(1) }()
	<-arrived
	g := gomega.NewWithT(t)
	g.Eventually(func() error { return r.Driver.Ensure(t.Context(), r.Pool, nil) }).WithTimeout(time.Minute).Should(gomega.Succeed())
	seen, err := r.Driver.Observe(t.Context(), r.Pool)
	if err != nil || len(seen) != 0 {
		t.Errorf("%+v, %v", seen, err)
	}
	select {
	case answer := <-done:
		if answer["127.0.77.9"] > 0 {
			t.Errorf("it was answered: %v", answer)
		}
	case <-time.After(time.Minute):
		t.Error("the connection is still open")
	}
}
