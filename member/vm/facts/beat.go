package facts

import (
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// OnlyDated says that nothing is new in a status but when was seen what it said before.
func OnlyDated(before, after *v1alpha1.ServerStatus) bool {
	if before.LastHeartbeatTime == nil || before.Machine == nil || before.Machine.ObservedAt == nil || after.Machine == nil {
		return false
	}
	was := before.DeepCopy()
	was.LastHeartbeatTime, was.Machine.ObservedAt = after.LastHeartbeatTime, after.Machine.ObservedAt
	return equality.Semantic.DeepEqual(was, after)
}
