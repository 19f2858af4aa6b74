package rollout

import (
	"testing"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestBackFromTheSecondBatch: a release that failed there has a server away, for which no other may go. What comes next reaches that one
// first, or nothing would ever.
func TestBackFromTheSecondBatch(t *testing.T) {
	in := Input{Deployment: deployment("50%", "50%"), Release: release("2"), Revision: "web-2", Servers: servers("od"), Now: noon}
	in.Servers[1].Status.Tasks = []v1alpha1.Task{{Type: v1alpha1.TaskCheckHealth, State: v1alpha1.TaskFailed}}
	if have := changed(Decide(in), in); have != "web-2=2" {
		t.Errorf("granted %q, want web-2=2", have)
	}
	in.Servers = servers("on")
	if have := changed(Decide(in), in); have != "web-1=2" {
		t.Errorf("then granted %q, want web-1=2", have)
	}
}
