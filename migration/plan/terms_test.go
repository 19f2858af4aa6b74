package plan

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// TestOneAdminOpensNothing: who lowers the number of approvals makes another plan of every one that waits, and that needs as many as
// before. The number is what is consented to: once that many did, the lower one holds.
func TestOneAdminOpensNothing(t *testing.T) {
	f := newFederation(t)
	f.need = 2
	f.settle(v1alpha1.PhaseAwaitingApproval)
	f.approve("alice")
	f.run(3)
	drawn := f.status.Plan.Hash
	if len(drawn) != 64 {
		t.Errorf("the hash has %d digits, want 64", len(drawn))
	}
	f.need = 0
	f.run(20)
	if f.status.Phase != v1alpha1.PhaseAwaitingApproval || f.status.ApprovalsDone != "0/2" || f.status.Plan.Hash == drawn {
		t.Fatalf("%s with %s approvals once the number is 0", f.status.Phase, f.status.ApprovalsDone)
	}
	// Taking the application off and listing it again is no way round.
	entry := f.entry
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	f.entry = entry
	f.settle(v1alpha1.PhaseAwaitingApproval)
	f.run(5)
	if f.status.ApprovalsDone != "0/2" {
		t.Fatalf("%s approvals after it was listed again", f.status.ApprovalsDone)
	}
	f.approve("alice")
	f.approve("bob")
	f.settle(v1alpha1.PhaseFederated)

	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	f.entry = entry
	f.settle(v1alpha1.PhaseFederated)
}

// TestTermsAreConsentedTo: approvals are of what is watched, for how long and when, too.
func TestTermsAreConsentedTo(t *testing.T) {
	f := newFederation(t)
	f.need = 1
	f.settle(v1alpha1.PhaseAwaitingApproval)
	world := f.world()
	hashOf := func(change func(*v1alpha1.MigrationStrategy)) string {
		terms := world.Strategy.Terms
		change(&terms)
		return draw(v1alpha1.PlanTakeOver, nil, nil, terms).Hash
	}
	seen := map[string]string{}
	for name, change := range map[string]func(*v1alpha1.MigrationStrategy){
		"as it is": func(*v1alpha1.MigrationStrategy) {},
		"soak":     func(s *v1alpha1.MigrationStrategy) { s.SoakSeconds = new(int32) },
		"gate": func(s *v1alpha1.MigrationStrategy) {
			s.Health.Prometheus = &gatev1alpha1.PrometheusGate{Query: "errors"}
		},
		"freeze": func(s *v1alpha1.MigrationStrategy) {
			now := metav1.NewTime(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
			s.FreezeWindows = []gatev1alpha1.FreezeWindow{{Name: "sale", Start: &now, End: &now}}
		},
		"number": func(s *v1alpha1.MigrationStrategy) { s.RequiredApprovals = new(int32) },
	} {
		hash := hashOf(change)
		if other := seen[hash]; other != "" {
			t.Errorf("%s and %s are one plan", name, other)
		}
		seen[hash] = name
	}
}

// Where nobody need approve, nobody is said to have approved.
func TestNobodyApproved(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseOpening)
	if approved := meta.FindStatusCondition(f.status.Conditions, v1alpha1.ConditionApproved); approved == nil ||
		approved.Message != "let through without approvals: whitelist all requires none" {
		t.Errorf("condition %+v, want that nobody had to approve", approved)
	}
	for _, entry := range f.status.History {
		if strings.Contains(entry.Message, "approved by") {
			t.Errorf("the history says %q", entry.Message)
		}
	}
}

// Who takes an approval back is on record: it is gone from the spec.
func TestAWithdrawalIsRecorded(t *testing.T) {
	f := newFederation(t)
	f.need = 2
	f.settle(v1alpha1.PhaseAwaitingApproval)
	f.approve("alice")
	f.run(1)
	f.spec.Approvals = nil
	for range 3 {
		f.step(-1)
	}
	told := 0
	for _, entry := range f.status.History {
		if entry.Reason == v1alpha1.ReasonApprovalWithdrawn && entry.Message == "alice withdrew their approval of plan "+f.status.Plan.Hash {
			told++
		}
	}
	if told != 1 || f.status.ApprovalsDone != "0/2" {
		t.Errorf("told %d times, want once; approvals %s: %+v", told, f.status.ApprovalsDone, f.status.History)
	}
	f.approve("alice", "bob")
	f.settle(v1alpha1.PhaseFederated)
}

// One rejection outweighs every approval until it is taken back, and both are on record with the reason.
func TestARejectionHoldsThePlanBack(t *testing.T) {
	f := newFederation(t)
	f.need = 2
	f.settle(v1alpha1.PhaseAwaitingApproval)
	now := metav1.NewTime(f.now)
	f.spec.Approvals = []v1alpha1.Approval{
		{PlanHash: f.status.Plan.Hash, User: "carol", Time: &now, Decision: v1alpha1.DecisionReject, Reason: "the sale begins at noon"},
	}
	f.approve("alice", "bob")
	f.run(20)
	if f.status.Phase != v1alpha1.PhaseAwaitingApproval || f.status.Blocked != v1alpha1.ReasonRejected || f.status.ApprovalsDone != "2/2" {
		t.Fatalf("%s, blocked by %q, %s approvals", f.status.Phase, f.status.Blocked, f.status.ApprovalsDone)
	}
	if got := f.advancing(); got.Reason != v1alpha1.ReasonRejected || !strings.Contains(got.Message, "carol (the sale begins at noon)") {
		t.Errorf("says %s: %s", got.Reason, got.Message)
	}
	f.spec.Approvals = f.spec.Approvals[1:]
	f.settle(v1alpha1.PhaseFederated)
	told := map[string]int{}
	for _, entry := range f.status.History {
		told[entry.Reason+" "+entry.Message]++
	}
	for _, want := range []string{
		v1alpha1.ReasonRejected + " carol rejected plan " + f.status.Plan.Hash + ": the sale begins at noon",
		v1alpha1.ReasonRejectionWithdrawn + " carol took back their rejection of plan " + f.status.Plan.Hash,
	} {
		if told[want] != 1 {
			t.Errorf("on record %d times, want once: %s", told[want], want)
		}
	}
}

// A rejection is of one plan: the next is nobody's yet. One that bears no name passed no admission, and counts for nothing.
func TestARejectionIsOfOnePlan(t *testing.T) {
	f := newFederation(t)
	f.need = 1
	f.settle(v1alpha1.PhaseAwaitingApproval)
	now := metav1.NewTime(f.now)
	f.spec.Approvals = []v1alpha1.Approval{
		{PlanHash: f.status.Plan.Hash, User: "carol", Time: &now, Decision: v1alpha1.DecisionReject, Reason: "no"},
	}
	f.run(2)
	f.put("b", `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: mended}}`)
	f.run(10)
	if f.status.Blocked != "" || len(f.status.RejectedBy) > 0 {
		t.Errorf("another plan is blocked by %q, rejected by %v", f.status.Blocked, f.status.RejectedBy)
	}
	f.spec.Approvals = []v1alpha1.Approval{{PlanHash: f.status.Plan.Hash, Decision: v1alpha1.DecisionReject, Reason: "no"}}
	f.approve("alice")
	f.settle(v1alpha1.PhaseFederated)
}
