package servers

import (
	"testing"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
)

// TestAdopt: what an earlier manager deployed gets the hash of what is asked for, to be written once; what differs gets none.
func TestAdopt(t *testing.T) {
	release := v1alpha1.Release{Version: "1", Params: map[string]v1alpha1.BoundedString{"unit": "web"}}
	hash := code.Hash(release)
	for name, tc := range map[string]struct {
		have, adopted string
		version       string
		before, after string
	}{
		"first seen":            {version: "1", after: hash},
		"written, and not seen": {version: "1", adopted: hash, before: hash, after: hash},
		"another version":       {version: "0"},
		"on record":             {version: "1", have: "x", before: "x", after: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			server := &v1alpha1.Server{}
			server.Spec.Release = release.DeepCopy()
			server.Status.Release = &v1alpha1.DeployedRelease{Version: tc.version, Hash: tc.have}
			w := &work{before: server, after: server.DeepCopy(), mind: &mind{adopted: tc.adopted}}
			w.adopt()
			if before, after := w.before.Status.Release.Hash, w.after.Status.Release.Hash; before != tc.before || after != tc.after {
				t.Errorf("before %q, after %q, want %q, %q", before, after, tc.before, tc.after)
			}
		})
	}
}
