package code

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

func release(version, checksum, unit string) v1alpha1.Release {
	params := map[string]v1alpha1.BoundedString{"unit": v1alpha1.BoundedString(unit)}
	return v1alpha1.Release{Version: version, Checksum: checksum, Params: params}
}

// TestSame: all of a release counts, and where nobody wrote down all of it, what there is.
func TestSame(t *testing.T) {
	want := release("1", "sha256:a", "web")
	other := want
	other.Artifact = "https://elsewhere/app"
	for name, tc := range map[string]struct {
		have *v1alpha1.DeployedRelease
		same bool
	}{
		"itself":                  {have: Deployed(want), same: true},
		"nothing":                 {},
		"another version":         {have: Deployed(release("2", "sha256:a", "web"))},
		"another checksum":        {have: Deployed(release("1", "sha256:b", "web"))},
		"other params":            {have: Deployed(release("1", "sha256:a", "api"))},
		"an artifact elsewhere":   {have: Deployed(other)},
		"cut off":                 {have: &v1alpha1.DeployedRelease{Version: "1", Checksum: "sha256:a", Hash: Unfinished}},
		"of before":               {have: &v1alpha1.DeployedRelease{Version: "1", Checksum: "sha256:a"}, same: true},
		"of before, another one":  {have: &v1alpha1.DeployedRelease{Version: "0", Checksum: "sha256:a"}},
		"of before, other sum":    {have: &v1alpha1.DeployedRelease{Version: "1", Checksum: "sha256:b"}},
		"of before, without sums": {have: &v1alpha1.DeployedRelease{Version: "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Same(tc.have, want); got != tc.same {
				t.Errorf("same %v, want %v", got, tc.same)
			}
			if adopts := tc.same && tc.have.Hash == ""; Adopts(tc.have, &want) != adopts {
				t.Errorf("adopted %v, want %v", !adopts, adopts)
			}
		})
	}
	if Adopts(&v1alpha1.DeployedRelease{Version: "1"}, nil) {
		t.Error("adopted though no release is asked for")
	}
}

// TestHash is the same for ever: another hash for the same release would deploy it on every machine at the next upgrade.
func TestHash(t *testing.T) {
	if got, want := Hash(release("1", "sha256:a", "web")), "30236592a85aba1a"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestFound: a record without a hash does not take away what is known of the same release, and one with a hash is believed.
func TestFound(t *testing.T) {
	known := Deployed(release("1", "sha256:a", "web"))
	for name, tc := range map[string]struct{ found, known, want *v1alpha1.DeployedRelease }{
		"nothing":           {known: known},
		"of before":         {found: &v1alpha1.DeployedRelease{Version: "1", Checksum: "sha256:a"}, known: known, want: known},
		"of before, others": {found: &v1alpha1.DeployedRelease{Version: "2"}, known: known, want: &v1alpha1.DeployedRelease{Version: "2"}},
		"first seen":        {found: &v1alpha1.DeployedRelease{Version: "1"}, want: &v1alpha1.DeployedRelease{Version: "1"}},
		"with a hash":       {found: Deployed(release("1", "sha256:a", "api")), known: known, want: Deployed(release("1", "sha256:a", "api"))},
		"cut off": {
			found: &v1alpha1.DeployedRelease{Version: "1", Checksum: "sha256:a", Hash: Unfinished}, known: known,
			want: &v1alpha1.DeployedRelease{Version: "1", Checksum: "sha256:a", Hash: Unfinished},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Found(tc.found, tc.known)); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}
