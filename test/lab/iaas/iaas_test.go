package iaas

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/machine/machinetest"
)

const token = "secret-1"

// system is the lab's IaaS over TLS, and a driver that trusts it.
func system(t *testing.T) (*Server, *httpdriver.Driver) {
	t.Helper()
	server := &Server{Store: &Store{Clock: clock.RealClock{}}, Token: token}
	return server, driverOf(t, server.Handler())
}

func driverOf(t *testing.T, handler http.Handler) *httpdriver.Driver {
	t.Helper()
	listener := httptest.NewUnstartedServer(handler)
	listener.Config.ErrorLog = nil
	listener.StartTLS()
	t.Cleanup(listener.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw})
	driver, err := httpdriver.New(httpdriver.Options{URL: listener.URL, CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

func credentials() map[string][]byte {
	return map[string][]byte{httpdriver.TokenKey: []byte(token + "\n")}
}

func TestConformance(t *testing.T) {
	for name, fault := range map[string]Fault{"as it should": None, "every request twice": Twice} {
		t.Run(name, func(t *testing.T) {
			machinetest.Run(t, func(t *testing.T) machinetest.Rig {
				server, driver := system(t)
				server.Fail(func(*http.Request) Fault { return fault })
				broken := []Fault{Refused, Page, Nonsense, Overloaded, Conflict}
				return machinetest.Rig{
					Driver: driver, Credentials: credentials(), Image: "lab/debian", Settle: func() {},
					Count: func() int { return len(server.Machines()) },
					Break: func() func() {
						n := 0
						server.Fail(func(r *http.Request) Fault {
							n++
							if f := broken[n%len(broken)]; f != Nonsense || r.Method == http.MethodGet {
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

func TestTheTokenIsNeeded(t *testing.T) {
	_, driver := system(t)
	for name, wrong := range map[string]map[string][]byte{"none": nil, "another": {httpdriver.TokenKey: []byte("x")}} {
		if _, err := driver.Get(t.Context(), machine.Call{Key: "a", Credentials: wrong}); err == nil || errors.Is(err, machine.ErrGone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAListMayLag(t *testing.T) {
	server, driver := system(t)
	catchUp := server.Lag()
	call := machine.Call{Key: "a", Sequence: 1, Credentials: credentials()}
	spec := machine.Spec{Owner: "o", Name: "n", Machine: v1alpha1.Machine{Image: "lab/x"}}
	if _, err := driver.Ensure(t.Context(), call, spec); err != nil {
		t.Fatal(err)
	}
	if list, err := driver.List(t.Context(), call, "o"); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := driver.Get(t.Context(), call); err != nil {
		t.Errorf("a look at one machine lags: %v", err)
	}
	catchUp()
	if list, err := driver.List(t.Context(), call, "o"); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}
