package scalein

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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

// TestALongWaitOfAnAdoptionIsTold by one event for each thing it waits for, also by one that follows for good.
func TestALongWaitOfAnAdoptionIsTold(t *testing.T) {
	recorder := record.NewFakeRecorder(9)
	a := adopter{Reconciler: &Reconciler{recorder: recorder}, waits: &conditions.Lasting{}}
	seen := gathered{facts: newFederation(map[string]int32{"member1": 3}).facts(), templateObject: &unstructured.Unstructured{}}
	look := func(next adoption) {
		a.tellWait(seen, next)
		seen.now = seen.now.Add(conditions.ToldAfter)
	}
	for _, why := range []string{v1alpha1.ReasonWaitingForBinding, v1alpha1.ReasonMemberUnreachable} {
		for range 3 {
			look(adoption{why: why, waitsFor: "something"})
		}
	}
	look(adoption{settled: true})
	look(adoption{why: v1alpha1.ReasonMemberUnreachable, waitsFor: "something"}) // and it is there again before it lasts
	look(adoption{settled: true})
	want := []string{
		"Normal WaitingForBinding the adoption waits: something", "Normal MemberUnreachable the adoption waits: something",
	}
	if diff := cmp.Diff(want, drained(recorder.Events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func drained(events chan string) (out []string) {
	for len(events) > 0 {
		out = append(out, <-events)
	}
	return out
}
