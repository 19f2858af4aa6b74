package approvals

import (
	"os"
	"strings"
	"testing"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

var longAgo = metav1.NewTime(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))

// waiting is a set of servers of which two operations wait at a gate.
func waiting(t *testing.T) *vmv1alpha1.VMReplicaSet {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/samples/vmreplicaset.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set := &vmv1alpha1.VMReplicaSet{}
	if err := yaml.UnmarshalStrict(text, set); err != nil {
		t.Fatal(err)
	}
	set.Name, set.GenerateName = "", "test-"
	if err := plane.Create(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	set.Status.PendingApprovals = []gatev1alpha1.PendingApproval{
		{Gate: "give-up", OperationID: "op-1", Server: "payments-1", Cluster: "member1"},
		{Gate: "give-up", OperationID: "op-2", Server: "payments-2", Cluster: "member2"},
	}
	if err := plane.Status().Update(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	return set
}

func decide(op, by string, decision gatev1alpha1.ApprovalDecision) gatev1alpha1.Approval {
	out := gatev1alpha1.Approval{Gate: "give-up", OperationID: op, Decision: decision, By: by, Reason: "seen"}
	if by != "" {
		out.At = &longAgo
	}
	return out
}

func approves(op, by string) func(*vmv1alpha1.VMReplicaSet) {
	return func(set *vmv1alpha1.VMReplicaSet) {
		set.Spec.Approvals = append(set.Spec.Approvals, decide(op, by, gatev1alpha1.Approve))
	}
}

// inForce waits until the API server asks what was registered: policies and bindings of roles take it a moment.
func inForce(t *testing.T, set *vmv1alpha1.VMReplicaSet) {
	t.Helper()
	try := func(who client.Client, change func(*vmv1alpha1.VMReplicaSet)) string {
		next := set.DeepCopy()
		change(next)
		if err := who.Patch(t.Context(), next, client.MergeFrom(set), client.DryRunAll); err != nil {
			return err.Error()
		}
		return ""
	}
	NewWithT(t).Eventually(func() string { return try(plane, approves("op-1", "ann")) }, machine.Patience).
		Should(ContainSubstring("in the name of ann"))
	NewWithT(t).Eventually(func() string { return try(as(t, "eve", editors), approves("op-1", "")) }, machine.Patience).
		Should(ContainSubstring("may not approve"))
	NewWithT(t).Eventually(func() string { return try(as(t, "ann", lab.VMApprover), approves("op-1", "")) }, machine.Patience).
		Should(BeEmpty())
	NewWithT(t).Eventually(func() string { return try(as(t, robot, ""), approves("op-1", "")) }, machine.Patience).
		Should(ContainSubstring("approved by people"))
}

func TestWhoApproves(t *testing.T) {
	set := waiting(t)
	inForce(t, set)
	for name, tc := range map[string]struct {
		user, role string
		change     func(*vmv1alpha1.VMReplicaSet)
		want       string
	}{
		"an approver": {user: "ann", role: lab.VMApprover, change: approves("op-1", "")},
		"an approver in another's name": {
			user: "ann", role: lab.VMApprover, change: approves("op-1", "bob"), want: "spec.approvals[0].by: ann cannot decide in the name of bob",
		},
		"an approver, of what waits nowhere": {
			user: "ann", role: lab.VMApprover, change: approves("op-7", ""), want: "no operation op-7 waits at gate give-up",
		},
		"an approver hides another number in it": {
			user: "ann", role: lab.VMApprover,
			change: func(s *vmv1alpha1.VMReplicaSet) { approves("op-1", "")(s); s.Spec.Replicas = ptr.To[int32](9) },
			want:   "spec.replicas: ann may approve operations and no more",
		},
		"an approver lets another image in": {
			user: "ann", role: lab.VMApprover, change: func(s *vmv1alpha1.VMReplicaSet) { s.Spec.Template.Spec.Machine.Image = "x" },
			want: "spec.template: ",
		},
		"an approver puts marks on it": {
			user: "ann", role: lab.VMApprover, change: func(s *vmv1alpha1.VMReplicaSet) { s.Annotations = map[string]string{"a": "b"} },
			want: "metadata.annotations: ",
		},
		"an editor of the namespace": {
			user: "eve", role: editors, change: approves("op-1", ""),
			want: "spec.approvals: eve may not approve: whoever has the role argosy-vm-approver can do this",
		},
		"an editor who scales": {
			user: "eve", role: editors, change: func(s *vmv1alpha1.VMReplicaSet) { s.Spec.Replicas = ptr.To[int32](9) },
		},
		"a program that was made an approver":     {user: robot, change: approves("op-1", ""), want: "an operation is approved by people"},
		"an administrator":                        {change: approves("op-1", "")},
		"an administrator in another's name":      {change: approves("op-1", "alice@example.com"), want: "in the name of alice@example.com"},
		"an administrator, of what waits nowhere": {change: approves("op-7", ""), want: "no operation op-7 waits"},
		"an administrator, with what would be two": {
			change: func(s *vmv1alpha1.VMReplicaSet) { approves("op-1", "")(s); approves("op-1", "")(s) }, want: "Duplicate value",
		},
	} {
		t.Run(name, func(t *testing.T) {
			who := plane
			if tc.user != "" {
				who = as(t, tc.user, tc.role)
			}
			next := set.DeepCopy()
			tc.change(next)
			refused(t, who.Patch(t.Context(), next, client.MergeFrom(set), client.DryRunAll), tc.want)
		})
	}
}

// The story of one operation: who decided stands in the object, and nobody else changes that.
func TestADecisionIsItsGiversOwn(t *testing.T) {
	set := waiting(t)
	inForce(t, set)
	write := func(user string, change func(*vmv1alpha1.VMReplicaSet)) error {
		current := &vmv1alpha1.VMReplicaSet{}
		if err := plane.Get(t.Context(), client.ObjectKeyFromObject(set), current); err != nil {
			t.Fatal(err)
		}
		next := current.DeepCopy()
		change(next)
		return as(t, user, lab.VMApprover).Patch(t.Context(), next, client.MergeFrom(current))
	}
	read := func() []gatev1alpha1.Approval {
		current := &vmv1alpha1.VMReplicaSet{}
		if err := plane.Get(t.Context(), client.ObjectKeyFromObject(set), current); err != nil {
			t.Fatal(err)
		}
		return current.Spec.Approvals
	}
	refused(t, write("ann", approves("op-1", "")), "")
	if have := read(); len(have) != 1 || have[0].By != "ann" || have[0].At == nil || have[0].At.Before(&longAgo) ||
		have[0].At.Equal(&longAgo) {
		t.Fatalf("approvals %+v, want one by ann, of now", have)
	}
	refused(t, write("bob", func(s *vmv1alpha1.VMReplicaSet) { s.Spec.Approvals[0].Decision = gatev1alpha1.Reject }), "in the name of ann")
	refused(t, write("bob", func(s *vmv1alpha1.VMReplicaSet) {
		s.Spec.Approvals[0].By = "bob"
		s.Spec.Approvals[0].Decision = gatev1alpha1.Reject
	}), "")
	if have := read(); len(have) != 1 || have[0].By != "bob" || have[0].Decision != gatev1alpha1.Reject {
		t.Fatalf("approvals %+v, want bob's rejection", have)
	}
	refused(t, write("ann", func(s *vmv1alpha1.VMReplicaSet) { s.Spec.Approvals = nil }),
		"only bob can take back their rejection of operation op-1")
	refused(t, write("bob", func(s *vmv1alpha1.VMReplicaSet) { s.Spec.Approvals = nil }), "")
	if have := read(); len(have) != 0 {
		t.Fatalf("approvals %+v, want none", have)
	}
}

// Nothing waits for a new object, whoever brings approvals along, for instance from a member.
func TestANewObjectHasNothingToApprove(t *testing.T) {
	set := waiting(t)
	inForce(t, set)
	fresh := &vmv1alpha1.VMReplicaSet{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Namespace: set.Namespace}, Spec: *set.Spec.DeepCopy(),
	}
	approves("op-1", "")(fresh)
	refused(t, plane.Create(t.Context(), fresh), "no operation waits for an approval")
	release := &vmv1alpha1.VMDeployment{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Namespace: set.Namespace}}
	release.Spec.TargetRef.Name, release.Spec.Release.Version = "payments", "1"
	release.Spec.Approvals = []gatev1alpha1.Approval{decide("op-1", "ann", gatev1alpha1.Approve)}
	refused(t, plane.Create(t.Context(), release), "in the name of ann")
}

// An override is applied behind admission: one that writes approvals would forge them on the way to a member.
func TestNoOverrideApproves(t *testing.T) {
	inForce(t, waiting(t))
	vmKind := policyv1alpha1.ResourceSelector{APIVersion: "vm.argosy.dev/v1alpha1", Kind: "VMReplicaSet"}
	deployment := policyv1alpha1.ResourceSelector{APIVersion: "apps/v1", Kind: "Deployment"}
	at := func(path string) policyv1alpha1.Overriders {
		return policyv1alpha1.Overriders{Plaintext: []policyv1alpha1.PlaintextOverrider{
			{Path: "/spec/replicas", Operator: "replace", Value: apiextensionsv1.JSON{Raw: []byte("1")}},
			{Path: path, Operator: "add", Value: apiextensionsv1.JSON{Raw: []byte("[]")}},
		}}
	}
	field := policyv1alpha1.Overriders{FieldOverrider: []policyv1alpha1.FieldOverrider{{FieldPath: "/spec/approvals/0/by"}}}
	const forged = "would approve in somebody's name"
	for name, tc := range map[string]struct {
		selectors []policyv1alpha1.ResourceSelector
		rule      policyv1alpha1.Overriders
		old       bool
		want      string
	}{
		"approvals": {
			selectors: []policyv1alpha1.ResourceSelector{deployment, vmKind}, rule: at("/spec/approvals"), want: forged,
		},
		"one approval":               {selectors: []policyv1alpha1.ResourceSelector{vmKind}, rule: at("/spec/approvals/-"), want: forged},
		"the spec":                   {selectors: []policyv1alpha1.ResourceSelector{vmKind}, rule: at("/spec"), want: forged},
		"approvals of whatever kind": {rule: at("/spec/approvals/-"), want: forged},
		"approvals by the old field": {
			selectors: []policyv1alpha1.ResourceSelector{vmKind}, rule: at("/spec/approvals"), old: true, want: forged,
		},
		"a text within an approval":     {selectors: []policyv1alpha1.ResourceSelector{vmKind}, rule: field, want: forged},
		"another field":                 {selectors: []policyv1alpha1.ResourceSelector{vmKind}, rule: at("/spec/gates")},
		"a field that begins alike":     {selectors: []policyv1alpha1.ResourceSelector{vmKind}, rule: at("/spec/approvalsOfOld")},
		"the spec of another kind":      {selectors: []policyv1alpha1.ResourceSelector{deployment}, rule: at("/spec")},
		"another field of whatever":     {rule: at("/metadata/labels")},
		"no overriders, of no selector": {},
	} {
		t.Run(name, func(t *testing.T) {
			spec := policyv1alpha1.OverrideSpec{ResourceSelectors: tc.selectors}
			if tc.old {
				spec.Overriders = tc.rule //nolint:staticcheck // Karmada still applies the old field
			} else {
				spec.OverrideRules = []policyv1alpha1.RuleWithCluster{{Overriders: tc.rule}}
			}
			meta := metav1.ObjectMeta{GenerateName: "test-", Namespace: "default"}
			refused(t, plane.Create(t.Context(), &policyv1alpha1.OverridePolicy{ObjectMeta: meta, Spec: spec}, client.DryRunAll), tc.want)
			meta.Namespace = ""
			refused(t, plane.Create(t.Context(), &policyv1alpha1.ClusterOverridePolicy{ObjectMeta: meta, Spec: spec}, client.DryRunAll), tc.want)
		})
	}
}

// While the webhook is down nobody approves, and everything else goes on: it is not asked.
func TestOtherWritesAskNobody(t *testing.T) {
	set := waiting(t)
	inForce(t, set)
	before := asked.Load()
	next := set.DeepCopy()
	next.Spec.Replicas, next.Spec.Paused = ptr.To[int32](8), true
	refused(t, plane.Patch(t.Context(), next, client.MergeFrom(set)), "")
	next.Status.LastSlot = 3
	refused(t, plane.Status().Update(t.Context(), next), "")
	refused(t, plane.Delete(t.Context(), next), "")
	if have := asked.Load() - before; have != 0 {
		t.Errorf("the webhook was asked %d times", have)
	}
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("have %v, want a refusal with %q", err, want)
	}
}
