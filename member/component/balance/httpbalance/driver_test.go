package httpbalance_test

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/member/component/balance"
	"github.com/argosy-dev/argosy/member/component/balance/balancetest"
	"github.com/argosy-dev/argosy/member/component/balance/httpbalance"
)

func driverOf(t *testing.T, handler http.Handler) *httpbalance.Driver {
	t.Helper()
	listener := httptest.NewTLSServer(handler)
	t.Cleanup(listener.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw})
	driver, err := httpbalance.New(httpbalance.Options{URL: listener.URL, CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

// TestAnswers: what is not surely known is not known.
func TestAnswers(t *testing.T) {
	const fine = `{"key":"a","id":"lb-1","state":"active","addresses":[{"ip":"10.9.0.1"}]}`
	at := func(address string) string { return strings.Replace(fine, `{"ip":"10.9.0.1"}`, address, 1) }
	for name, tc := range map[string]struct {
		status int
		body   string
		sure   error
		says   string
	}{
		"fine":                        {status: 200, body: fine, says: "Active 10.9.0.1"},
		"a host name":                 {status: 200, body: at(`{"hostname":"LB.example.com"}`), says: "Active lb.example.com"},
		"a state of tomorrow":         {status: 200, body: strings.Replace(fine, "active", "migrating", 1), says: "Unknown"},
		"surely gone":                 {status: 404, body: `{"code":"LoadBalancerNotFound","key":"a","message":"none"}`, sure: balance.ErrGone},
		"another's not found":         {status: 404, body: `{"code":"LoadBalancerNotFound","key":"b","message":"none"}`, says: "answered 404"},
		"a proxy's not found":         {status: 404, body: `<html>`, says: "answered 404"},
		"not found without a code":    {status: 404, body: `{}`, says: "answered 404"},
		"gone, of something to read":  {status: 410, body: `{"code":"LoadBalancerNotFound","key":"a"}`, says: "answered 410"},
		"another's load balancer":     {status: 200, body: strings.Replace(fine, `"a"`, `"b"`, 1), says: `of key "b"`},
		"no load balancer":            {status: 200, body: `{}`, says: `load balancer "" of key ""`},
		"a page":                      {status: 200, body: `<html>`, says: "no JSON of the contract"},
		"a list":                      {status: 200, body: `[]`, says: "no JSON of the contract"},
		"at this very machine":        {status: 200, body: at(`{"ip":"127.0.0.1"}`), says: "no address of a load balancer"},
		"at this very machine, IPv6":  {status: 200, body: at(`{"ip":"::ffff:127.0.0.1"}`), says: "no address of a load balancer"},
		"at the clouds' own data":     {status: 200, body: at(`{"ip":"169.254.169.254"}`), says: "no address of a load balancer"},
		"at no address":               {status: 200, body: at(`{"ip":"10.9.0.1.5"}`), says: "no address of a load balancer"},
		"at nothing":                  {status: 200, body: at(`{}`), says: "an IP or a host name"},
		"at localhost":                {status: 200, body: at(`{"hostname":"localhost"}`), says: "no host name"},
		"at a host that is none":      {status: 200, body: at(`{"hostname":"a b"}`), says: "no host name"},
		"at very many":                {status: 200, body: at(strings.Repeat(`{"ip":"10.9.0.1"},`, 99) + `{}`), says: "names 100 addresses"},
		"fewer than none are well":    {status: 200, body: strings.Replace(fine, "}]}", `}],"healthyTargets":-1}`, 1), says: "-1 targets"},
		"elsewhere":                   {status: 302, says: "answered 302"},
		"out of order":                {status: 500, body: `{"message":"disk"}`, says: "answered 500: disk"},
		"unauthorized":                {status: 401, says: "answered 401"},
		"invalid without a code":      {status: 422, body: `{}`, says: "answered 422"},
		"invalid":                     {status: 422, body: `{"code":"Invalid","message":"size"}`, sure: balance.ErrInvalid, says: "size"},
		"a conflict of another sort":  {status: 409, body: `{"code":"Fenced"}`, says: "answered 409"},
		"more than anybody reads":     {status: 200, body: strings.Repeat(" ", 2<<20), says: "longer than"},
		"text that is none, and long": {status: 500, body: `{"message":"` + strings.Repeat("\xff", 2000) + `"}`, says: "answered 500"},
	} {
		t.Run(name, func(t *testing.T) {
			driver := driverOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://elsewhere.example.com/")
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			have, err := driver.Get(t.Context(), "a")
			for _, sure := range []error{balance.ErrGone, balance.ErrInvalid} {
				if errors.Is(err, sure) != errors.Is(tc.sure, sure) {
					t.Errorf("%v: is %v", err, sure)
				}
			}
			said := string(have.State)
			for _, a := range have.Addresses {
				said += " " + a.IP + a.Hostname
			}
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, tc.says) {
				t.Errorf("%q, want %q", said, tc.says)
			}
		})
	}
}

// TestBusy: not now is neither never nor silence, and says when to come again.
func TestBusy(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		after  string
		want   time.Duration
	}{
		"too often":               {429, "7", 7 * time.Second},
		"another change":          {409, "", 0},
		"for a very long time":    {429, "99999999999999999", time.Hour},
		"nonsense":                {429, "99999999999999999999999", 0},
		"a date":                  {429, "Fri, 31 Dec 1999 23:59:59 GMT", 0},
		"before it was asked for": {429, "-5", 0},
	} {
		t.Run(name, func(t *testing.T) {
			driver := driverOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", tc.after)
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(`{"code":"Busy","message":"later"}`))
			}))
			_, err := driver.Ensure(t.Context(), "a", balancetest.Spec("10.0.0.1"))
			var busy *balance.BusyError
			if !errors.As(err, &busy) || busy.After != tc.want || !strings.Contains(busy.Said, "later") {
				t.Errorf("%v, %+v", err, busy)
			}
		})
	}
}

func TestNew(t *testing.T) {
	for _, bad := range []string{"", "http://plain.example.com", "https://", "slb.example.com", "https://a b"} {
		if _, err := httpbalance.New(httpbalance.Options{URL: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := httpbalance.New(httpbalance.Options{URL: "https://a.example.com", CA: []byte("x")}); err == nil {
		t.Error("nonsense is taken for an authority")
	}
	driver := driverOf(t, http.NotFoundHandler())
	if _, err := driver.Get(t.Context(), "a"); err == nil || errors.Is(err, balance.ErrGone) {
		t.Errorf("a path that nobody serves: %v", err)
	}
}

// TestContractFile: every operation, state and code that the driver knows is in the file that systems are built from, and no more.
func TestContractFile(t *testing.T) {
	raw, err := os.ReadFile("../../../../docs/reference/loadbalancers.openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Paths      map[string]map[string]any `json:"paths"`
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Enum []string `json:"enum"`
				} `json:"properties"`
			}
		}
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	var have []string
	for path, verbs := range file.Paths {
		for verb := range verbs {
			if verb != "parameters" {
				have = append(have, strings.ToUpper(verb)+" "+path)
			}
		}
	}
	slices.Sort(have)
	want := []string{"DELETE /v1/loadbalancers/{key}", "GET /v1/loadbalancers/{key}", "PUT /v1/loadbalancers/{key}"}
	if !slices.Equal(have, want) {
		t.Errorf("operations %q, want %q", have, want)
	}
	states := []string{string(httpbalance.Creating), string(httpbalance.Active), string(httpbalance.Failed), string(httpbalance.Deleting)}
	if have := file.Components.Schemas["LoadBalancer"].Properties["state"].Enum; !slices.Equal(have, states) {
		t.Errorf("states %q, want %q", have, states)
	}
	codes := []string{string(httpbalance.NotFound), string(httpbalance.Invalid), string(httpbalance.Busy)}
	if have := file.Components.Schemas["Problem"].Properties["code"].Enum; !slices.Equal(have, codes) {
		t.Errorf("codes %q, want %q", have, codes)
	}
}
