package text

import (
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestKeep: words that differ only in what belongs to one try stay as they are; a word more, another number or another address is news.
func TestKeep(t *testing.T) {
	cases := map[string]struct {
		said, now string
		wantNews  bool
	}{
		"the same": {said: "no metrics", now: "no metrics"},
		"another local port": {
			said: `Put "https://10.0.0.2:6443/apis": read tcp 10.0.0.1:53422->10.0.0.2:6443: read: connection reset by peer`,
			now:  `Put "https://10.0.0.2:6443/apis": read tcp 10.0.0.1:40118->10.0.0.2:6443: read: connection reset by peer`,
		},
		"another local port of IPv6": {said: "write tcp [::1]:53422->[::1]:6443: broken pipe", now: "write tcp [::1]:9->[::1]:6443: broken pipe"},
		"later": {
			said: "certificate has expired or is not yet valid: current time 2026-11-28T17:00:00Z is after 2026-11-27T00:00:00Z",
			now:  "certificate has expired or is not yet valid: current time 2026-11-28T17:05:10.25+01:00 is after 2026-11-27T00:00:00Z",
		},
		"another request": {
			said: `admission webhook "quota" denied the request: over budget (request id: 7f3a-11)`,
			now:  `admission webhook "quota" denied the request: over budget (request id: 9b00-12)`,
		},
		"another UID": {
			said: "UID in precondition: 0b5f8a3e-3a1e-4f8e-9d3c-0f2f6f1c2d3e", now: "UID in precondition: 11111111-3a1e-4f8e-9d3c-0f2f6f1c2d3e",
		},
		"another server": {
			said: "dial tcp 10.0.0.2:6443: connection refused",
			now:  "dial tcp 10.0.0.3:6443: connection refused", wantNews: true,
		},
		"another port": {
			said: "dial tcp 10.0.0.2:6443: connection refused",
			now:  "dial tcp 10.0.0.2:443: connection refused", wantNews: true,
		},
		"another number":   {said: "9 replicas of 10 fit", now: "8 replicas of 10 fit", wantNews: true},
		"another cause":    {said: "connection refused", now: "i/o timeout", wantNews: true},
		"nothing was said": {said: "", now: "i/o timeout", wantNews: true},
		"all is well now":  {said: "read tcp 10.0.0.1:53422->10.0.0.2:6443", now: "", wantNews: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := tc.said
			if tc.wantNews {
				want = tc.now
			}
			if got := Keep(tc.said, tc.now); got != want {
				t.Errorf("Keep() = %q, want %q", got, want)
			}
		})
	}
}

// TestCut: what is cut is no longer than asked, keeps its beginning, and is no broken character.
func TestCut(t *testing.T) {
	if got := Cut("short", 5); got != "short" {
		t.Errorf("what fits is cut to %q", got)
	}
	if got := Cut("longer than that", 9); got != "longer..." {
		t.Errorf("cut to %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		text, limit := rapid.String().Draw(t, "text"), rapid.IntRange(3, 40).Draw(t, "limit")
		got := Cut(text, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("Cut(%q, %d) = %q", text, limit, got)
		}
	})
}
