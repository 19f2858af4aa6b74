package decide

import (
	"strings"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// passes says that override policies changed which act at once, whatever is held: with spec.overrides: Pass whoever may write them changes
// what runs.
func (n *next) passes() {
	switch {
	case n.spec.Overrides == v1alpha1.OverridesHold:
		n.Status.Overrides = ""
		return
	case n.Overrides == nil || n.Status.Dispatch == nil:
		return
	}
	if was := n.before.Overrides; was != "" && was != n.Overrides.Hash {
		names := strings.Join(n.Overrides.Names, ", ")
		if names == "" {
			names = "none any more"
		}
		n.event(false, v1alpha1.ReasonOverridesPassed,
			"override policies of the application changed, and act at once in the clusters they are for (spec.overrides: Pass): %s", names)
	}
	n.Status.Overrides = n.Overrides.Hash
}
