package rollout

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestBackFromTheSecondBatch: a release that failed there has a server away, for which no other may go. What comes next reaches that one
// first, or nothing would ever.
func TestBackFromTheSecondBatch(t *testing.T) {
	in := Input{Deployment: deployment("50%", "50%"), Release: release("2"), Revision: "web-2", Servers: servers("od"), Now: noon}
	in.Servers[1].Status.Operation = &v1alpha1.Operation{Kind: v1alpha1.OperationCode}
	in.Servers[1].Status.Tasks = []v1alpha1.Task{{Type: v1alpha1.TaskCheckHealth, State: v1alpha1.TaskFailed}}
	if have := changed(Decide(in), in); have != "web-2=2" {
		t.Errorf("granted %q, want web-2=2", have)
	}
	in.Servers = servers("on")
	if have := changed(Decide(in), in); have != "web-1=2" {
		t.Errorf("then granted %q, want web-1=2", have)
	}
}

// TestWhoFailedKeepsItsPlace: among those that have the release already a failed one stays in its batch, and its weight is that of it; and
// one that is away for another fault than a release waits for its turn while others may go.
func TestWhoFailedKeepsItsPlace(t *testing.T) {
	d := deployment("50%", "50%")
	d.Spec.Strategy.TrafficWeight = ptr.To[int32](10)
	in := Input{Deployment: d, Release: release("2"), Revision: "web-2", Servers: servers("nnfo"), Now: noon}
	in.Servers[2].Spec.TrafficWeight = ptr.To[int32](10)
	if have := changed(Decide(in), in); have != "" {
		t.Errorf("changed %q, and the weights are as they should be", have)
	}
	d = deployment("1", "100%")
	d.Spec.Strategy.MaxUnavailable = ptr.To(intstr.FromInt32(3))
	in = Input{Deployment: d, Release: release("2"), Revision: "web-2", Servers: servers("oood"), Now: noon}
	for _, kind := range []v1alpha1.OperationKind{v1alpha1.OperationEnvironment, v1alpha1.OperationCode} {
		in.Servers[3].Status.Operation = &v1alpha1.Operation{Kind: kind}
		in.Servers[3].Status.Tasks = []v1alpha1.Task{{Type: v1alpha1.TaskInstallPackages, State: v1alpha1.TaskFailed}}
		if have := changed(Decide(in), in); have != "web-1=2" {
			t.Errorf("%s failed, and others may go: granted %q, want web-1=2", kind, have)
		}
	}
}
