package decide

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// TestSuspendedDispatch: a member that Karmada is told not to write to gets no limits from here either. What it has stays reserved, and it
// is counted.
func TestSuspendedDispatch(t *testing.T) {
	m := newModel(limits(2, 40), Counts{"m1": 5, "m2": 3})
	mustSettle(t, m)
	before := *m.members["m1"].hpaWork
	m.members["m1"].held = true
	m.members["m1"].load = 6
	m.members["m2"].load = 40
	m.spec.MinReplicas = 4
	m.generation++
	mustSettle(t, m)
	if got := *m.members["m1"].hpaWork; got != before {
		t.Errorf("m1 is sent %+v, it had %+v", got, before)
	}
	if got := m.binding.clusters["m1"]; got != 6 {
		t.Errorf("the books say %d of m1, where 6 run", got)
	}
	if got := m.members["m2"].replicas; got > 40-before.Max {
		t.Errorf("m2 runs %d, and %d of 40 are reserved", got, before.Max)
	}
	if got := m.status.Clusters[0].Message; got != fmt.Sprintf("dispatching to m1 is suspended, it keeps its last %d..%d", before.Min,
		before.Max) {
		t.Errorf("said of m1: %s", got)
	}
	m.members["m1"].held = false
	mustSettle(t, m)
	mustSettle(t, m)
	if got := m.members["m2"].replicas; got < 25 {
		t.Errorf("resumed, m2 runs %d of the 40 it asks for", got)
	}
}

// TestTakingOverASuspendedMember: the label stands in its Work and not in the member, and Applied is True of what was before. It gets no
// autoscaler.
func TestTakingOverASuspendedMember(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
	m.members["m1"].held, m.members["m2"].held = true, true
	m.play(6)
	if m.members["m1"].hpaWork != nil || m.members["m2"].hpaWork != nil {
		t.Error("an autoscaler is sent")
	}
	wantSaid(t, m.status, api.FedHPAReady,
		"False DispatchingSuspended: no member's autoscaler works: m1, m2: dispatching to the cluster is suspended")
	m.members["m1"].held, m.members["m2"].held = false, false
	mustSettle(t, m)
	wantSaid(t, m.status, api.FedHPAReady, "True Active")
}

// TestRefusedWrite: what is true only with a write that was refused is not said, and what was False before stays so since then.
func TestRefusedWrite(t *testing.T) {
	m := settled(t)
	m.members["m1"].load = 7
	m.tick("m1")
	m.report("m1")
	plan := Decide(m.world())
	plan.Refuse(BookKeeping, api.FedHPAReasonQuotaExceeded, "quota of cpu")
	plan.Refuse(Limits, api.FedHPAReasonWriteFailed, "a policy engine")
	wantSaid(t, plan.Status, api.FedHPABooksAgree, "False QuotaExceeded: quota of cpu")
	wantSaid(t, plan.Status, api.FedHPAReady, "False QuotaExceeded: quota of cpu")
	if told := plan.Told(); len(told) != 1 || told[0].Reason != api.FedHPAReasonQuotaExceeded {
		t.Errorf("told %+v", told)
	}
	m.status = plan.Status
	since := map[string]metav1.Time{}
	for _, c := range m.status.Conditions {
		since[c.Type] = c.LastTransitionTime
	}
	m.now = m.now.Add(lookAgain)
	plan = Decide(m.world())
	plan.Refuse(BookKeeping, api.FedHPAReasonQuotaExceeded, "quota of cpu")
	if told := plan.Told(); len(told) != 0 {
		t.Errorf("told again: %+v", told)
	}
	for _, c := range plan.Status.Conditions {
		if diff := cmp.Diff(since[c.Type], c.LastTransitionTime); diff != "" {
			t.Errorf("%s since (-want +got):\n%s", c.Type, diff)
		}
	}
}
