package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// readable blocks while a template of the application cannot be read. A rollback does not ask: it works on policies, bindings and Works.
func (j *journey) readable() outcome {
	for _, ref := range slices.SortedFunc(maps.Keys(j.Control.Unread), byUser) {
		return j.block(v1alpha1.ReasonUnreadable,
			"%s in the control plane cannot be read (%s): a kind that argosy-controller-manager has no rights for is taken out of the application "+
				"with its policy, or carried (carriedKinds of its configuration); a rollback needs neither", policy.User(ref), j.Control.Unread[ref])
	}
	return proceed
}

func byUser(a, b Ref) int { return strings.Compare(policy.User(a), policy.User(b)) }
