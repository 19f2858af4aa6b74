package httpclient

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRefused(t *testing.T) {
	for name, tc := range map[string]struct{ address, authority, want string }{
		"no TLS":            {"http://slb.example.com", "", "is no https://host[:port][/path]"},
		"no host":           {"https://", "", "is no https://host[:port][/path]"},
		"no address at all": {"https://%zz", "", "is no https://host[:port][/path]"},
		"no certificate":    {"https://slb.example.com", "hello", "the authority of slb.example.com is no PEM certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := New(tc.address, []byte(tc.authority)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// TestFollowsNobody: a token goes to the system that is configured, and to nobody it names.
func TestFollowsNobody(t *testing.T) {
	server := httptest.NewTLSServer(http.RedirectHandler("https://elsewhere.example.com", http.StatusFound))
	defer server.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	base, client, err := New(server.URL+"/", authority)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Get(base.String())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if base.String() != server.URL || response.StatusCode != http.StatusFound {
		t.Errorf("asked %s, answered %d", base, response.StatusCode)
	}
}
