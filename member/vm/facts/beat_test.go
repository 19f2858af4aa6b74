package facts

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestOnlyDated: what was not seen before, or is another thing, is news whenever it was seen.
func TestOnlyDated(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(before, after *v1alpha1.ServerStatus)
		want   bool
	}{
		"seen again": {want: true, change: func(_, after *v1alpha1.ServerStatus) {}},
		"heard of again": {want: true, change: func(before, after *v1alpha1.ServerStatus) {
			after.Machine.ObservedAt = before.Machine.ObservedAt
		}},
		"in another state":  {change: func(_, after *v1alpha1.ServerStatus) { after.Machine.State = v1alpha1.MachineStopped }},
		"in another phase":  {change: func(_, after *v1alpha1.ServerStatus) { after.Phase = v1alpha1.ServerUnknown }},
		"never heard of":    {change: func(before, _ *v1alpha1.ServerStatus) { before.LastHeartbeatTime = nil }},
		"never looked at":   {change: func(before, _ *v1alpha1.ServerStatus) { before.Machine.ObservedAt = nil }},
		"made":              {change: func(before, _ *v1alpha1.ServerStatus) { before.Machine = nil }},
		"no machine at all": {change: func(_, after *v1alpha1.ServerStatus) { after.Machine = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := status("Done", "Running"), status("Done", "Running")
			for s, at := range map[*v1alpha1.ServerStatus]time.Time{before: noon, after: noon.Add(time.Hour)} {
				s.LastHeartbeatTime, s.Machine.ObservedAt = &metav1.Time{Time: at}, &metav1.Time{Time: at}
			}
			tc.change(before, after)
			if have := OnlyDated(before, after); have != tc.want {
				t.Errorf("%v, want %v", have, tc.want)
			}
		})
	}
}
