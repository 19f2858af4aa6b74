package iaas

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/member/component/balance/balancetest"
	"github.com/argosy-dev/argosy/member/component/balance/httpbalance"
)

// balancers is the lab's IaaS over TLS, and a driver that trusts it.
func balancers(t *testing.T) (*Server, *httpbalance.Driver) {
	t.Helper()
	server := &Server{Store: &Store{Clock: clock.RealClock{}}, Balancers: &Balancers{Clock: clock.RealClock{}}, Token: token}
	listener := httptest.NewTLSServer(server.Handler())
	t.Cleanup(listener.Close)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw})
	driver, err := httpbalance.New(httpbalance.Options{URL: listener.URL, CA: ca, TokenFile: file})
	if err != nil {
		t.Fatal(err)
	}
	return server, driver
}

func TestBalancersConform(t *testing.T) {
	for name, fault := range map[string]Fault{"as it should": None, "every request twice": Twice} {
		t.Run(name, func(t *testing.T) {
			balancetest.Run(t, func(t *testing.T) balancetest.Rig {
				server, driver := balancers(t)
				server.Fail(func(*http.Request) Fault { return fault })
				broken := []Fault{Refused, Page, Nonsense, Overloaded}
				return balancetest.Rig{
					Driver: driver, Settle: func() {}, Made: server.Balancers.Made, Refused: map[string]string{"size": "enormous"},
					Targets: func(key string) ([]string, bool) {
						for _, b := range server.Balancers.List() {
							if b.Key == key {
								return b.Spec.Targets, true
							}
						}
						return nil, false
					},
					Break: func() func() {
						n := 0
						server.Fail(func(r *http.Request) Fault {
							n++
							// A 200 to DELETE needs no body, so that nonsense is no fault of it.
							if f := broken[n%len(broken)]; f != Nonsense || r.Method != http.MethodDelete {
								return f
							}
							return Refused
						})
						return func() { server.Fail(nil) }
					},
				}
			})
		})
	}
}
