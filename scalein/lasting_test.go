package scalein

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/record"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
	"github.com/argosy-dev/argosy/internal/conditions"
)

// TestALongWaitIsTold by one event, which names the reason: waits for Works, bindings and pods are no news when they begin. Nemesis, run 11
// of the covering design, saw an order that waited for its pods for 61 seconds without one.
func TestALongWaitIsTold(t *testing.T) {
	f := newFederation(map[string]int32{"member1": 3, "member2": 2}, "member1-pod-0").facts()
	f.binding.suspended = true
	waiting := next(f)
	f.order.Status = settle(f, waiting)
	recorder := record.NewFakeRecorder(9)
	r := &Reconciler{recorder: recorder}
	for range 3 {
		r.tellLasting(f, waiting, nil)
		f.now = f.now.Add(conditions.ToldAfter)
	}
	want := []string{"Normal " + waiting.reason + " Accepted: " + waiting.message}
	if diff := cmp.Diff(want, drained(recorder.Events)); diff != "" {
		t.Errorf("an order that waits (-want +got):\n%s", diff)
	}
	r.tellLasting(f, step{phase: v1alpha1.PhaseFailed, reason: waiting.reason}, nil)
	f.now = f.now.Add(conditions.ToldAfter)
	r.tellLasting(f, step{phase: v1alpha1.PhaseFailed, reason: waiting.reason}, nil)
	if said := drained(recorder.Events); len(said) > 0 {
		t.Errorf("an order that ended, which was told when it did: %q", said)
	}
}

func drained(events chan string) (out []string) {
	for len(events) > 0 {
		out = append(out, <-events)
	}
	return out
}
