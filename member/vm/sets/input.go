package sets

import (
	"time"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/fleet"
)

// Input is what a set's controller would decide from, of a set, the hash of its packages' settings and the Servers that it controls; for
// whoever asks what it would do.
func Input(set *v1alpha1.VMReplicaSet, settings string, servers []v1alpha1.Server, now time.Time) fleet.Input {
	out := fleet.Input{Set: set, Revision: Revision(set, settings), Now: now}
	for i := range servers {
		out.Servers = append(out.Servers, member(&servers[i]))
	}
	return out
}
