package vmreplicaset

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

func template(t *testing.T) fixture.Object { return fixture.Load(t, "testdata/template.yaml") }
func member(t *testing.T) fixture.Object   { return fixture.Load(t, "testdata/member.yaml") }

func TestReplicas(t *testing.T) {
	inPod := family.Replicas{Count: 10, Requirements: &workv1alpha2.ReplicaRequirements{
		NodeClaim:       &workv1alpha2.NodeClaim{NodeSelector: map[string]string{"topology.kubernetes.io/zone": "az1"}},
		ResourceRequest: corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("8Gi")},
		Namespace:       "shop",
	}}
	for name, tc := range map[string]struct {
		template fixture.Object
		want     family.Replicas
	}{
		"a machine in a pod takes room": {template(t), inPod},
		"a machine of a cloud takes none": {
			template(t).With("External", "spec", "template", "spec", "machine", "hosting"), family.Replicas{Count: 10},
		},
		"external is the default, and so is one": {
			template(t).Without("spec", "template", "spec", "machine", "hosting").Without("spec", "replicas"), family.Replicas{Count: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Family().InterpretReplica(tc.template.Unstructured())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestRevise(t *testing.T) {
	clusters := []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 4}, {Name: "member2", Replicas: 3}, {Name: "member3", Replicas: 3}}
	base := template(t).WithYAML("[payments-7xk2p]", serversToDeletePath...)
	object := base.Unstructured()
	edits, err := Family().ReviseReplica(object, family.Target{Replicas: 3, Clusters: clusters})
	if err != nil {
		t.Fatal(err)
	}
	want := template(t).With(3, replicasPath...).With(3, partitionPath...).With(1, unavailablePath...).
		Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=3,member3=3").
		Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=4,member2=3,member3=3").
		Annotation("interpreter.argosy.dev/max-unavailable-by-cluster", "member1=2,member2=1,member3=1").
		Annotation("interpreter.argosy.dev/divided", "partition=3,max-unavailable=1").
		Annotation("interpreter.argosy.dev/created-with", "b2cbd5b00b0a9043").Annotation("interpreter.argosy.dev/template", "b2cbd5b00b0a9043")
	if diff := cmp.Diff(want.Map(), fixture.Edited(t, object, edits)); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if !Family().NeedsDivision(base.Unstructured(), 3) {
		t.Error("an integer partition needs the clusters")
	}
	cutOff := template(t).Annotation("migration.argosy.dev/cut-off", "1").Unstructured()
	if edits, err := Family().ReviseReplica(cutOff, family.Target{Replicas: 3}); err != nil || len(edits) != 0 {
		t.Errorf("cut off: %v, %v; want nothing done", edits, err)
	}
	if Family().NeedsDivision(cutOff, 3) {
		t.Error("cut off, and yet the clusters are asked for")
	}
}

func TestRetain(t *testing.T) {
	divided := template(t).With(3, replicasPath...).With(4, partitionPath...).
		Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=3").
		Annotation("interpreter.argosy.dev/divided", "partition=4")
	owned := divided.Label("resourcetemplate.karmada.io/retain-replicas", "true").Label("interpreter.argosy.dev/retain", "rollout")
	request := divided.Annotation("scalein.argosy.dev/request", "op1;member1:3=payments-a;member2:1=payments-b")
	for name, tc := range map[string]struct{ desired, observed, want fixture.Object }{
		"a divided number was made this member's at the Work's admission": {divided, member(t), divided},
		"servers named in the member stay named": {
			divided, member(t).WithYAML("[payments-z]", serversToDeletePath...),
			divided.WithYAML("[payments-z]", serversToDeletePath...),
		},
		"a request brings this member's names": {
			request, member(t).WithYAML("[payments-z]", serversToDeletePath...),
			request.WithYAML("[payments-z, payments-a]", serversToDeletePath...).Annotation("scalein.argosy.dev/delivered", "op1"),
		},
		"replicas and rollout the member owns": {
			owned, member(t).With(9, replicasPath...).With("10%", partitionPath...).With(true, pausedPath...),
			owned.With(9, replicasPath...).With("10%", partitionPath...).With(true, pausedPath...),
		},
	} {
		t.Run(name, func(t *testing.T) {
			desired := tc.desired.Unstructured()
			edits, err := Family().Retain(desired, tc.observed.Unstructured())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want.Map(), fixture.Edited(t, desired, edits)); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	calm := member(t).Without("status", "conditions")
	for name, tc := range map[string]struct {
		member fixture.Object
		want   bool
	}{
		"at its partition":             {calm, true},
		"before its partition":         {calm.With(2, "status", "expectedUpdatedReplicas"), false},
		"paused":                       {calm.With(2, "status", "expectedUpdatedReplicas").With(true, pausedPath...), true},
		"updated only when servers go": {calm.With(2, "status", "expectedUpdatedReplicas").With("OnDelete", strategyPath...), true},
		"one missing, one allowed":     {calm.With(3, "status", "availableReplicas"), true},
		"two missing":                  {calm.With(2, "status", "availableReplicas"), false},
		"two missing, one given up":    {calm.With(2, "status", "availableReplicas").With(1, "status", "abandonedReplicas"), true},
		"all given up":                 {calm.With(0, "status", "availableReplicas").With(4, "status", "abandonedReplicas"), false},
		"all missing, and a person is asked": {
			member(t).With(0, "status", "availableReplicas").With(4, "status", "expectedUpdatedReplicas"), true,
		},
		"a person was asked": {
			member(t).WithYAML(`[{type: AwaitingApproval, status: "False"}]`, "status", "conditions").With(0, "status", "availableReplicas"), false,
		},
		"a person is asked, generation not observed": {member(t).With(6, "status", "observedGeneration"), false},
		"no status": {calm.Without("status"), false},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Family().InterpretHealth(tc.member.Unstructured())
			if err != nil || have != tc.want {
				t.Errorf("healthy %v, %v; want %v", have, err, tc.want)
			}
		})
	}
}

func TestAggregate(t *testing.T) {
	first, err := Family().InterpretStatus(member(t).Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	second := fixture.Parse(t, `
generation: 1
observedGeneration: 1
resourceTemplateGeneration: 3
replicas: 3
updatedReplicas: 0
expectedUpdatedReplicas: 0
readyReplicas: 1
availableReplicas: 1
initializingReplicas: 1
deployingReplicas: 2
unknownReplicas: 3
offlineReplicas: 4
abandonedReplicas: 5
heldReplicas: 2
abandoned: [{server: payments-3, replicas: 3, at: "2026-01-03T00:00:00Z"}]
lastSlot: 4
updateRevision: payments-new
currentRevision: payments-old
pendingApprovals:
- {gate: give-up, operationID: op-9, server: payments-a, since: "2026-01-03T00:00:00Z"}
- {gate: give-up, operationID: op-1, server: payments-b, since: "2026-01-01T00:00:00Z"}
conditions:
- {type: Available, status: "False", reason: MinimumServersUnavailable, message: 1 of 3, lastTransitionTime: "2026-01-03T00:00:00Z"}
- {type: AwaitingApproval, status: "True", reason: GateWaiting, message: two wait at give-up, lastTransitionTime: "2026-01-03T00:00:00Z"}
- {type: RemediationAllowed, status: "True", reason: WithinBudget, message: "", lastTransitionTime: "2026-01-03T00:00:00Z"}
`).Map()
	members := []family.Member{{Cluster: "member1", Status: first}, {Cluster: "member2", Status: second}}
	object := template(t).With("2026-01-01T00:00:00Z", "metadata", "creationTimestamp").
		WithYAML(`[{type: AwaitingApproval, status: "True", lastTransitionTime: "2026-01-02T09:00:00Z"}]`, "status", "conditions").Unstructured()
	edits, err := Family().AggregateStatus(object, members)
	if err != nil {
		t.Fatal(err)
	}
	want := fixture.Parse(t, `
observedGeneration: 3
replicas: 7
updatedReplicas: 1
expectedUpdatedReplicas: 1
readyReplicas: 5
availableReplicas: 5
initializingReplicas: 1
deployingReplicas: 2
unknownReplicas: 3
offlineReplicas: 4
abandonedReplicas: 5
heldReplicas: 3
abandoned: [{server: payments-3, replicas: 3, cluster: member2, at: "2026-01-03T00:00:00Z"}]
updateRevision: payments-new
currentRevision: payments-old
selector: app=payments
pendingApprovals:
- {gate: give-up, operationID: op-1, server: payments-b, cluster: member2, since: "2026-01-01T00:00:00Z"}
- {gate: give-up, operationID: op-2, server: payments-7xk2p, cluster: member1, since: "2026-01-02T03:04:05Z",
  summary: "payments-7xk2p is given up; 3 of 4 serve"}
- {gate: give-up, operationID: op-9, server: payments-a, cluster: member2, since: "2026-01-03T00:00:00Z"}
conditions:
- {type: Available, status: "False", reason: MinimumServersUnavailable, message: "member2: 1 of 3",
  lastTransitionTime: "2026-01-03T00:00:00Z", observedGeneration: 3}
- {type: AwaitingApproval, status: "True", reason: GateWaiting,
  message: "member1: payments-7xk2p waits at give-up; member2: two wait at give-up",
  lastTransitionTime: "2026-01-02T09:00:00Z", observedGeneration: 3}
- {type: RemediationAllowed, status: Unknown, reason: MembersUnknown, message: not reported by member1,
  lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: 3}
`)
	if diff := cmp.Diff(want.Map(), fixture.Edited(t, object, edits)["status"]); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

// TestAggregateStaysWithinTheSchema: an apiserver refuses a whole status whose list is too long.
func TestAggregateStaysWithinTheSchema(t *testing.T) {
	var members []family.Member
	for cluster := range 3 {
		var pending []any
		for i := range 100 {
			pending = append(pending, map[string]any{"gate": "g", "operationID": fmt.Sprintf("op-%d-%02d", cluster, i)})
		}
		members = append(members, family.Member{Cluster: fmt.Sprintf("member%d", cluster), Status: map[string]any{
			"pendingApprovals": pending,
			"conditions":       []any{map[string]any{"type": "AwaitingApproval", "status": "True", "reason": "GateWaiting", "message": "100 wait"}},
		}})
	}
	object := template(t).Unstructured()
	edits, err := Family().AggregateStatus(object, members)
	if err != nil {
		t.Fatal(err)
	}
	status, _ := fixture.Edited(t, object, edits)["status"].(map[string]any)
	if have := len(status["pendingApprovals"].([]any)); have != 256 {
		t.Errorf("%d pending approvals, want 256", have)
	}
	message := status["conditions"].([]any)[0].(map[string]any)["message"]
	if want := "member0, member1, member2: 100 wait; 44 more are not shown"; message != want {
		t.Errorf("message %q, want %q", message, want)
	}
}

func TestDependencies(t *testing.T) {
	have, err := Family().InterpretDependency(template(t).Unstructured())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range have {
		names = append(names, d.APIVersion+" "+d.Kind+" "+d.Namespace+"/"+d.Name)
	}
	want := []string{
		"v1 ConfigMap shop/agent-settings", "v1 Secret shop/agent-token", "v1 Secret shop/first-boot", "v1 Secret shop/gate-ca",
		"v1 Secret shop/machine-credentials", "v1 Secret shop/machine-key", "v1 Secret shop/on-call",
		"vm.argosy.dev/v1alpha1 VMDeployment shop/payments",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}

func TestErrorsNameTheField(t *testing.T) {
	f := Family()
	for want, ask := range map[string]func(fixture.Object) error{
		"spec.template.spec.machine.resources.cpu: ": func(o fixture.Object) error {
			_, err := f.InterpretReplica(o.With("four", "spec", "template", "spec", "machine", "resources", "cpu").Unstructured())
			return err
		},
		"spec.template.spec.packages[0]: ": func(o fixture.Object) error {
			_, err := f.InterpretDependency(o.WithYAML("[agent]", "spec", "template", "spec", "packages").Unstructured())
			return err
		},
		"spec.updateStrategy.partition: ": func(o fixture.Object) error {
			_, err := f.ReviseReplica(o.With("most", partitionPath...).Unstructured(), family.Target{})
			return err
		},
		"status.conditions: ": func(o fixture.Object) error {
			_, err := f.InterpretHealth(o.With("x", "status", "conditions").Unstructured())
			return err
		},
	} {
		if err := ask(template(t)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("have %v, want an error that begins with %q", err, want)
		}
	}
	// One member's status stops nobody's, and is said.
	edits, err := f.AggregateStatus(template(t).Unstructured(), []family.Member{{Cluster: "member9", Status: map[string]any{"replicas": "x"}}})
	if want := "not counted: aggregatedStatus[member9].status.replicas: "; err != nil || !strings.Contains(fmt.Sprint(edits), want) {
		t.Errorf("have %v, %v, want a condition that says %q", edits, err, want)
	}
}
