package program

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestProfilesFlag(t *testing.T) {
	for name, tc := range map[string]struct {
		args          []string
		want, wantErr string
	}{
		"off by default":          {},
		"off":                     {args: []string{"--pprof-bind-address="}},
		"loopback without a host": {args: []string{"--pprof-bind-address=:6060"}, want: "127.0.0.1:6060"},
		"where it is told":        {args: []string{"--pprof-bind-address=10.0.0.1:6060"}, want: "10.0.0.1:6060"},
		"every address":           {args: []string{"--pprof-bind-address=[::]:6060"}, want: "[::]:6060"},
		"no port":                 {args: []string{"--pprof-bind-address=localhost"}, wantErr: "missing port"},
		"a port that is none":     {args: []string{"--pprof-bind-address=localhost:http"}, wantErr: `port "http" is no number`},
	} {
		t.Run(name, func(t *testing.T) {
			flags := flag.NewFlagSet("program", flag.ContinueOnError)
			flags.SetOutput(io.Discard)
			var address string
			ProfilesFlag(flags, &address)
			err := flags.Parse(tc.args)
			if (err != nil) != (tc.wantErr != "") || err != nil &&
				(!strings.Contains(err.Error(), tc.wantErr) || !strings.Contains(err.Error(), "pprof-bind-address")) {
				t.Fatalf("got %v, want %q", err, tc.wantErr)
			}
			if address != tc.want {
				t.Errorf("got %q, want %q", address, tc.want)
			}
		})
	}
}

func TestProfiles(t *testing.T) {
	server := httptest.NewServer(Profiles())
	defer server.Close()
	for path, want := range map[string]string{"/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile: total",
		"/debug/pprof/cmdline": "program"} {
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d, %v, without %q", path, response.StatusCode, err, want)
		}
	}
}
