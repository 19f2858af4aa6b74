package httpdriver_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
)

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

// TestAnswers: what is not surely known is not known.
func TestAnswers(t *testing.T) {
	const fine = `{"key":"a","id":"vm-1","state":"running"}`
	for name, tc := range map[string]struct {
		status int
		body   string
		sure   error
		says   string
	}{
		"fine":                     {status: 200, body: fine},
		"a state of tomorrow":      {status: 200, body: strings.Replace(fine, "running", "migrating", 1), says: "Unknown"},
		"surely gone":              {status: 404, body: `{"code":"MachineNotFound","key":"a","message":"none"}`, sure: machine.ErrGone},
		"another's not found":      {status: 404, body: `{"code":"MachineNotFound","key":"b","message":"none"}`, says: "answered 404"},
		"a proxy's not found":      {status: 404, body: `<html>`, says: "answered 404"},
		"not found without a code": {status: 404, body: `{}`, says: "answered 404"},
		"another's machine":        {status: 200, body: strings.Replace(fine, `"a"`, `"b"`, 1), says: `of key "b"`},
		"no machine":               {status: 200, body: `{}`, says: `machine "" of key ""`},
		"a page":                   {status: 200, body: `<html>`, says: "no JSON of the contract"},
		"at this very machine": {
			status: 200,
			body:   strings.Replace(fine, "}", `,"addresses":[{"address":"127.0.0.1"}]}`, 1), says: "no address of a machine"},
		"elsewhere":                  {status: 302, body: ``, says: "answered 302"},
		"out of order":               {status: 500, body: `{"message":"disk"}`, says: "answered 500: disk"},
		"unauthorized":               {status: 401, body: ``, says: "answered 401"},
		"too often":                  {status: 429, body: ``, sure: machine.ErrQuota},
		"gone, of something to read": {status: 410, body: `{"code":"MachineNotFound","key":"a"}`, says: "answered 410"},
		"fenced":                     {status: 409, body: `{"code":"Fenced","message":"sequence 3"}`, sure: machine.ErrFenced},
		"a conflict of its own": {
			status: 409, body: `{"code":"Locked","message":"a snapshot is made"}`, says: "answered 409: a snapshot is made",
		},
		"a proxy's conflict":          {status: 409, body: `<html>`, says: "answered 409"},
		"more than anybody reads":     {status: 200, body: strings.Repeat(" ", 5<<20), says: "longer than"},
		"text that is none, and long": {status: 500, body: `{"message":"` + strings.Repeat("\xff", 2000) + `"}`, says: "answered 500"},
	} {
		t.Run(name, func(t *testing.T) {
			driver := driverOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://elsewhere.example.com/")
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			have, err := driver.Get(t.Context(), machine.Call{Key: "a"})
			for _, sure := range []error{machine.ErrGone, machine.ErrInvalid, machine.ErrFenced, machine.ErrQuota} {
				if errors.Is(err, sure) != errors.Is(tc.sure, sure) {
					t.Errorf("%v: is %v", err, sure)
				}
			}
			said := string(have.State)
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, tc.says) || tc.sure == nil && tc.says == "" && have.State != v1alpha1.MachineRunning {
				t.Errorf("%q, want %q", said, tc.says)
			}
		})
	}
}

// TestAnothersMachines: a system that does not look at whose machines are asked for, or turns in a circle, lists none: what it shows of
// another member would be told to be nobody's, and what is not shown would be believed to be gone.
func TestAnothersMachines(t *testing.T) {
	const ours, nobodys = `{"key":"a","id":"vm-1","state":"running","owner":"member1"}`, `{"key":"b","id":"vm-2","state":"running"}`
	theirs := strings.NewReplacer(`"a"`, `"c"`, "vm-1", "vm-3", "member1", "member2").Replace(ours)
	for name, tc := range map[string]struct {
		body   string
		listed int
		says   string
	}{
		"ours, and without a word of whose": {body: `{"machines":[` + ours + "," + nobodys + `]}`, listed: 2},
		"theirs": {
			body: `{"machines":[` + ours + "," + theirs + `]}`, says: "machine vm-3 is member2's, and member1's were asked for",
		},
		"in a circle": {body: `{"machines":[` + ours + `],"next":"2"}`, says: "the page after 2 is itself"},
	} {
		t.Run(name, func(t *testing.T) {
			driver := driverOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(tc.body)) }))
			list, err := driver.List(t.Context(), machine.Call{}, "member1")
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) || len(list) != tc.listed {
				t.Errorf("%+v, %v, want %d of them, %q", list, err, tc.listed, tc.says)
			}
		})
	}
	driver := driverOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(ours)) }))
	if made, err := driver.Ensure(t.Context(), machine.Call{Key: "a"}, machine.Spec{Owner: "member2"}); err == nil {
		t.Errorf("another's machine was taken for the one that was asked for: %+v", made)
	}
}

// TestRetryAfter: whom a system asks to wait does not ask it for that long, and five minutes at most. Others are not kept from it, nor is
// what else it is asked.
func TestRetryAfter(t *testing.T) {
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for said, want := range map[string]time.Duration{
		"30": 30 * time.Second, "86400": 5 * time.Minute, noon.Add(time.Minute).Format(http.TimeFormat): time.Minute,
		"": 0, "-5": 0, "soon": 0, noon.Add(-time.Minute).Format(http.TimeFormat): 0, "99999999999999999999": 0,
	} {
		t.Run(said, func(t *testing.T) {
			asked := 0
			listener := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.Header().Set("Retry-After", said)
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			t.Cleanup(listener.Close)
			now := clocktesting.NewFakePassiveClock(noon)
			driver, err := httpdriver.New(httpdriver.Options{URL: listener.URL, Transport: listener.Client().Transport, Clock: now})
			if err != nil {
				t.Fatal(err)
			}
			of := func(token string) machine.Call {
				return machine.Call{Key: "a", Credentials: map[string][]byte{httpdriver.TokenKey: []byte(token)}}
			}
			get := func(token string, want int) {
				t.Helper()
				if _, err := driver.Get(t.Context(), of(token)); !errors.Is(err, machine.ErrQuota) || asked != want {
					t.Errorf("%v, and the system was asked %d times, want %d", err, asked, want)
				}
			}
			get("ours", 1)
			if want == 0 {
				get("ours", 2)
				return
			}
			get("ours", 1)
			get("another's", 2)
			if err := driver.Stop(t.Context(), of("ours")); asked != 3 {
				t.Errorf("stopping it: %v", err)
			}
			now.SetTime(noon.Add(want - time.Second))
			get("ours", 3)
			now.SetTime(noon.Add(want))
			get("ours", 4)
		})
	}
}

// TestHalfOpen: a system that takes connections and says nothing is waited for no longer than whoever asks, and nothing is known then.
func TestHalfOpen(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections for it
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	driver, err := httpdriver.New(httpdriver.Options{URL: "https://" + silent.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for what, ask := range map[string]func(context.Context, machine.Call) error{
		"making machine a": func(ctx context.Context, c machine.Call) error {
			_, err := driver.Ensure(ctx, c, machine.Spec{})
			return err
		},
		"looking at machine a": func(ctx context.Context, c machine.Call) error { _, err := driver.Get(ctx, c); return err },
		"stopping machine a":   driver.Stop,
		"removing machine a":   driver.Delete,
	} {
		err := ask(ctx, machine.Call{Key: "a"})
		if err == nil || !strings.HasPrefix(err.Error(), what+": the system did not answer: ") {
			t.Errorf("%v, want %s", err, what)
		}
		for _, sure := range []error{machine.ErrGone, machine.ErrInvalid, machine.ErrFenced, machine.ErrQuota} {
			if errors.Is(err, sure) {
				t.Errorf("%v is %v, of which nothing is known", err, sure)
			}
		}
	}
}

func TestNew(t *testing.T) {
	for _, bad := range []string{"", "http://plain.example.com", "https://", "machines.example.com", "https://a b"} {
		if _, err := httpdriver.New(httpdriver.Options{URL: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := httpdriver.New(httpdriver.Options{URL: "https://a.example.com", CA: []byte("x")}); err == nil {
		t.Error("nonsense is taken for an authority")
	}
}

// TestContractFile: every operation, state, code and header that the driver knows is in the file that systems are built from, and no more.
func TestContractFile(t *testing.T) {
	raw, err := os.ReadFile("../../../../docs/reference/machines.openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type names struct {
		Enum []string `json:"enum"`
	}
	var file struct {
		Paths      map[string]map[string]any `json:"paths"`
		Components struct {
			Parameters struct{ Sequence struct{ Name string } }
			Schemas    map[string]struct {
				Properties map[string]names `json:"properties"`
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
	want := []string{
		"DELETE /v1/machines/{key}", "GET /v1/machines", "GET /v1/machines/{key}", "POST /v1/machines/{key}/stop", "PUT /v1/machines/{key}",
	}
	if !slices.Equal(have, want) {
		t.Errorf("operations %q, want %q", have, want)
	}
	states := []string{
		string(httpdriver.Creating), string(httpdriver.Running),
		string(httpdriver.Stopped), string(httpdriver.Failed), string(httpdriver.Deleting),
	}
	if have := file.Components.Schemas["Machine"].Properties["state"].Enum; !slices.Equal(have, states) {
		t.Errorf("states %q, want %q", have, states)
	}
	codes := []string{string(httpdriver.NotFound), string(httpdriver.Fenced), string(httpdriver.Invalid), string(httpdriver.Busy)}
	if have := file.Components.Schemas["Problem"].Properties["code"].Enum; !slices.Equal(have, codes) {
		t.Errorf("codes %q, want %q", have, codes)
	}
	if have := file.Components.Parameters.Sequence.Name; have != httpdriver.SequenceHeader {
		t.Errorf("header %q, want %q", have, httpdriver.SequenceHeader)
	}
}
