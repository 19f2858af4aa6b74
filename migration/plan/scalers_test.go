package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// TestARollbackWaitsForTheAutoscalers: as long as an autoscaler of the workload is dispatched it is not static, and who must end that is
// said.
func TestARollbackWaitsForTheAutoscalers(t *testing.T) {
	f := newFederation(t)
	f.scaler = &Work{Dispatching: metav1.ConditionTrue}
	f.settle(v1alpha1.PhaseFederated)
	f.entry = nil
	f.run(20)
	if f.status.Phase != v1alpha1.PhaseCuttingOff || f.status.Management != v1alpha1.ManagementChanging {
		t.Fatalf("%s, %s while its autoscaler is dispatched", f.status.Phase, f.status.Management)
	}
	if f.control.Templates[f.app].GetAnnotations()[v1alpha1.AnnotationCutOff] == "" {
		t.Fatal("FedHPA is not told by the mark")
	}
	f.now = f.now.Add(time.Minute)
	f.run(3)
	f.blocked(v1alpha1.ReasonAwaitingKarmada, "the autoscaler of FedHPA web of the workload for cluster a is still dispatched")

	f.scaler.Suspended = true
	f.run(3)
	f.blocked(v1alpha1.ReasonAwaitingKarmada, "has not confirmed it yet")
	f.scaler.Dispatching = metav1.ConditionFalse
	f.settle(v1alpha1.PhaseCutOff)
	if f.status.Management != v1alpha1.ManagementStatic {
		t.Errorf("%s once nothing is dispatched", f.status.Management)
	}
	// One that comes later is stopped by the mark: the members of an application at rest are not looked at for it.
	if Needs(f.world()).Scalers {
		t.Error("autoscalers are read while nothing happens")
	}
}
