package fedhpa

import (
	"testing"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// TestAWorkThatSomebodySuspended: what is written into it arrives nowhere, whatever its Applied condition still says of the manifest
// before.
func TestAWorkThatSomebodySuspended(t *testing.T) {
	for name, tc := range map[string]struct {
		suspended     *bool
		mark          string
		held, inForce bool
	}{
		"dispatched":     {inForce: true},
		"suspended":      {suspended: ptr.To(true), held: true},
		"resumed":        {suspended: ptr.To(false), inForce: true},
		"withheld by us": {suspended: ptr.To(true), mark: "web", inForce: true},
	} {
		t.Run(name, func(t *testing.T) {
			fed := makeFedHPA()
			work, err := newWork("m1", fed, split.Range{Min: 2, Max: 9})
			if err != nil {
				t.Fatal(err)
			}
			work.Spec.SuspendDispatching = tc.suspended
			if tc.mark != "" {
				work.Annotations[migration.AnnotationCutOff] = tc.mark
			}
			meta.SetStatusCondition(&work.Status.Conditions,
				metav1.Condition{Type: workv1alpha1.WorkApplied, Status: metav1.ConditionTrue, Reason: "AppliedSuccessful"})
			seen := []byte(`{"currentReplicas":5,"desiredReplicas":6}`)
			work.Status.ManifestStatuses = []workv1alpha1.ManifestStatus{{Status: &runtime.RawExtension{Raw: seen}}}
			v := &view{fed: fed, binding: makeBinding(5, 3, 8, "")}
			m, err := (&gatherer{}).member(t.Context(), v, member{name: "m1", work: work})
			if err != nil {
				t.Fatal(err)
			}
			if m.Held != tc.held || (m.HPA.InForce != nil) != tc.inForce {
				t.Errorf("held %v, limits in force %v; want %v and %v", m.Held, m.HPA.InForce, tc.held, tc.inForce)
			}
		})
	}
}
