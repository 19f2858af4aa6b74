package facts

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// stamped is a status all of whose times are that.
func stamped(at time.Time) *v1alpha1.ServerStatus {
	stamp := func() *metav1.Time { return &metav1.Time{Time: at} }
	return &v1alpha1.ServerStatus{
		LastHeartbeatTime: stamp(),
		Operation:         &v1alpha1.Operation{Sequence: 3, StartedAt: stamp()},
		Machine:           &v1alpha1.MachineStatus{State: v1alpha1.MachineRunning, ObservedAt: stamp()},
		Creation:          &v1alpha1.Creation{Key: "k", At: stamp()},
		Tasks:             []v1alpha1.Task{{ID: "a", StartedAt: stamp(), FinishedAt: stamp()}, {ID: "b"}},
		LoadBalancers:     []v1alpha1.Attachment{{Name: "a", Since: stamp()}, {Name: "b"}},
		PendingApprovals:  []gatev1alpha1.PendingApproval{{Gate: "g", Since: stamp()}, {Gate: "h"}},
		Conditions:        []metav1.Condition{{Type: v1alpha1.ConditionReady, LastTransitionTime: metav1.Time{Time: at}}},
	}
}

// TestBringBack: what a clock stamped that is an hour ahead was now, once; what was stamped before is left, and so is an empty status.
func TestBringBack(t *testing.T) {
	for name, tc := range map[string]struct{ at, want time.Time }{
		"an hour ahead": {noon.Add(time.Hour), noon},
		"now":           {noon, noon},
		"an hour ago":   {noon.Add(-time.Hour), noon.Add(-time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			got := stamped(tc.at)
			for range 2 {
				BringBack(got, noon)
				if diff := cmp.Diff(stamped(tc.want), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
	empty := &v1alpha1.ServerStatus{}
	if BringBack(empty, noon); !cmp.Equal(empty, &v1alpha1.ServerStatus{}) {
		t.Errorf("%+v", empty)
	}
}
