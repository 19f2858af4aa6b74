package certificates

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

var (
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	names = []string{"argosy-webhook.argosy-system.svc", "argosy-webhook.argosy-system.svc.cluster.local"}
)

func made(t *testing.T, now time.Time) (Authority, Pair) {
	t.Helper()
	authority, reason, err := EnsureAuthority(Authority{}, now)
	if err != nil || reason == "" {
		t.Fatalf("making an authority: %q, %v", reason, err)
	}
	serving, reason, err := EnsureServing(Pair{}, authority, names, now)
	if err != nil || reason == "" {
		t.Fatalf("making a serving certificate: %q, %v", reason, err)
	}
	return authority, serving
}

// verify is what a caller does with what it trusts.
func verify(t *testing.T, serving Pair, trust []byte, name string, now time.Time) error {
	t.Helper()
	pair, err := tls.X509KeyPair(serving.Cert, serving.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trust)
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now})
	return err
}

func TestWhatIsMadeIsVerified(t *testing.T) {
	authority, serving := made(t, start)
	for _, name := range names {
		if err := verify(t, serving, authority.Trust, name, start); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verify(t, serving, authority.Trust, "another.svc", start); err == nil {
		t.Error("it serves for a name that is not its own")
	}
	other, _ := made(t, start)
	if err := verify(t, serving, other.Trust, names[0], start); err == nil {
		t.Error("another authority's trust verifies it")
	}
}

func TestServingIsRenewedInTime(t *testing.T) {
	authority, serving := made(t, start)
	other, _ := made(t, start)
	for name, tc := range map[string]struct {
		have      Pair
		authority Authority
		names     []string
		after     time.Duration
		want      string
	}{
		"young":             {have: serving, authority: authority, names: names, after: ServingLife / 2},
		"a third left":      {have: serving, authority: authority, names: names, after: ServingLife*2/3 + time.Hour, want: "it ends at"},
		"expired":           {have: serving, authority: authority, names: names, after: ServingLife * 2, want: "it ends at"},
		"other names":       {have: serving, authority: authority, names: names[:1], want: "it was for"},
		"other authority":   {have: serving, authority: other, names: names, want: "another authority"},
		"a key not its own": {have: Pair{Cert: serving.Cert, Key: other.Key}, authority: authority, names: names, want: "another's"},
		"damaged":           {have: Pair{Cert: []byte("x"), Key: serving.Key}, authority: authority, names: names, want: "not PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			now := start.Add(tc.after)
			got, reason, err := EnsureServing(tc.have, tc.authority, tc.names, now)
			if err != nil {
				t.Fatal(err)
			}
			if (tc.want == "") != (reason == "") || !strings.Contains(reason, tc.want) {
				t.Errorf("reason %q, want %q", reason, tc.want)
			}
			if (reason == "") != bytes.Equal(got.Cert, tc.have.Cert) {
				t.Error("the reason and the change do not agree")
			}
			if err := verify(t, got, tc.authority.Trust, tc.names[0], now); err != nil {
				t.Errorf("what is served now: %v", err)
			}
		})
	}
}

// TestNoCallerIsLostWhenTheAuthorityChanges walks fifteen years in daily steps, as the job does, and demands of every
// day that the certificate served yesterday is trusted today, and today's by what is published today.
func TestNoCallerIsLostWhenTheAuthorityChanges(t *testing.T) {
	authority, serving := made(t, start)
	authorities, servings := 1, 1
	for day := 1; day <= 15*365; day++ {
		now := start.Add(time.Duration(day) * 24 * time.Hour)
		next, reason, err := EnsureAuthority(authority, now)
		if err != nil {
			t.Fatal(err)
		}
		if reason != "" {
			authorities++
		}
		authority = next
		if err := verify(t, serving, authority.Trust, names[0], now); err != nil {
			t.Fatalf("day %d, before the serving certificate changes: %v", day, err)
		}
		if serving, reason, err = EnsureServing(serving, authority, names, now); err != nil {
			t.Fatal(err)
		}
		if reason != "" {
			servings++
		}
		if err := verify(t, serving, authority.Trust, names[0], now); err != nil {
			t.Fatalf("day %d: %v", day, err)
		}
		if count := bytes.Count(authority.Trust, []byte("BEGIN")); count > 2 {
			t.Fatalf("day %d: %d authorities are trusted", day, count)
		}
	}
	if authorities != 5 || servings < 80 {
		t.Errorf("%d authorities and %d serving certificates in fifteen years", authorities, servings)
	}
}
