package plan

import (
	"strings"
	"testing"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

func (f *federation) workloadIn(cluster string) *unstructured.Unstructured {
	return f.members[cluster].objects[f.app]
}

func (f *federation) advancing() *metav1.Condition {
	return meta.FindStatusCondition(f.status.Conditions, v1alpha1.ConditionAdvancing)
}

// run so many passes, with everything Karmada has to do in between.
func (f *federation) run(passes int) {
	f.t.Helper()
	for range passes {
		f.step(-1)
		for _, reaction := range reactions {
			reaction.run(f)
		}
		f.invariants()
		f.now = f.now.Add(15 * time.Second)
	}
}

// TestBlocked finds something wrong before anything is opened: the reason and a remedy are said, and nothing
// reaches a member.
func TestBlocked(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  func(*federation)
		reason string
		remedy string
	}{
		"missing in a member it must be in": {
			fault:  func(f *federation) { f.entry.Clusters = []string{"a", "b"}; delete(f.members["b"].objects, f.app) },
			reason: v1alpha1.ReasonWorkloadMissing, remedy: "deploy it there",
		},
		"missing everywhere": {
			fault:  func(f *federation) { delete(f.members["a"].objects, f.app); delete(f.members["b"].objects, f.app) },
			reason: v1alpha1.ReasonWorkloadMissing, remedy: "check namespace",
		},
		"a member does not answer": {
			fault: func(f *federation) { f.members["b"].down = true }, reason: v1alpha1.ReasonClusterUnreachable, remedy: "until it does",
		},
		"a member is not joined": {
			fault: func(f *federation) { f.entry.Clusters = []string{"a", "z"} }, reason: v1alpha1.ReasonClusterUnknown, remedy: "karmadactl join z",
		},
		"a member is not Ready": {
			fault: func(f *federation) { f.members["a"].ready = false }, reason: v1alpha1.ReasonClusterNotReady, remedy: "kubectl get cluster a",
		},
		"two whitelists": {
			fault: func(f *federation) { f.conflict = "other" }, reason: v1alpha1.ReasonConflictingOwners, remedy: "take it off one",
		},
		"a half finished rollout": {
			fault: func(f *federation) { set64(f.workloadIn("b"), 2, "status", "updatedReplicas") }, reason: v1alpha1.ReasonRolloutRunning,
			remedy: "finish it first",
		},
		"its controller lags": {
			fault: func(f *federation) { set64(f.workloadIn("b"), 0, "status", "observedGeneration") }, reason: v1alpha1.ReasonRolloutRunning,
			remedy: "finish it first",
		},
		"no replicas in a member": {
			fault: func(f *federation) { f.scale("b", 0) }, reason: v1alpha1.ReasonNoReplicas, remedy: "scale it up",
		},
		"other images in a member": {
			fault: func(f *federation) { f.image("b", "web:2") }, reason: v1alpha1.ReasonImagesDiffer, remedy: "release one version",
		},
		"the member lacks the kind": {
			fault: func(f *federation) { f.members["b"].kinds = map[string]bool{} }, reason: v1alpha1.ReasonAPIMissing, remedy: "apiEnablements",
		},
		"the control plane lacks it": {
			fault: func(f *federation) { f.control.Kinds = map[string]bool{} }, reason: v1alpha1.ReasonAPIMissing,
			remedy: "CustomResourceDefinition",
		},
		"a pod is not ready": {
			fault: func(f *federation) { f.members["a"].pods[0].Ready = false }, reason: v1alpha1.ReasonUnhealthy, remedy: "until this is over",
		},
		"Prometheus does not answer": {
			fault: func(f *federation) {
				for _, m := range f.members {
					m.unwell = "Prometheus did not answer: timeout"
				}
			},
			reason: v1alpha1.ReasonUnhealthy, remedy: "Prometheus did not answer: timeout: it is not opened until this is over",
		},
		"a policy claims it by name": {
			fault: func(f *federation) { f.rival("web", 0) }, reason: v1alpha1.ReasonAlreadyManaged, remedy: "selectors",
		},
		"a policy of higher priority": {
			fault: func(f *federation) { f.rival("", 5) }, reason: v1alpha1.ReasonAlreadyManaged, remedy: "selectors",
		},
		"karmada.io/managed was copied": {
			fault:  func(f *federation) { f.workloadIn("a").SetLabels(map[string]string{"karmada.io/managed": "true"}) },
			reason: v1alpha1.ReasonAlreadyManaged, remedy: "remove the label",
		},
		"a template that is not ours": {
			fault: func(f *federation) {
				f.control.Templates[f.app] = object(f.t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}}`)
			},
			reason: v1alpha1.ReasonAlreadyManaged, remedy: "delete it there",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			tc.fault(f)
			for cluster := range f.members {
				f.expect(cluster)
			}
			f.run(30)
			if f.status.Blocked != tc.reason {
				t.Fatalf("blocked by %q, want %q: %+v", f.status.Blocked, tc.reason, f.advancing())
			}
			if message := f.advancing().Message; !strings.Contains(message, tc.remedy) {
				t.Errorf("the message holds no remedy (%q): %s", tc.remedy, message)
			}
			for _, cluster := range f.status.Clusters {
				if cluster.State != v1alpha1.ClusterSuspended {
					t.Errorf("cluster %s is %s", cluster.Name, cluster.State)
				}
			}
		})
	}
}

// TestHarmfulPlan is a dry run that shows a change: immutable fields, pruned ones, admission in a member. The plan
// cannot be approved, and nobody needs to: nothing is opened, even where no approvals are asked for.
func TestHarmfulPlan(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(DryRun) DryRun
		want  string
	}{
		"a field would go": {
			spoil: func(run DryRun) DryRun {
				unstructured.RemoveNestedField(run.Result.Object, "spec", "ports")
				return run
			},
			want: `service/web in cluster a: spec.ports would change from [{"port":80}] to nothing`,
		},
		"the member refuses": {
			spoil: func(run DryRun) DryRun { return DryRun{Live: run.Live, Error: "spec.clusterIP: field is immutable"} },
			want:  "service/web in cluster a refuses the write: spec.clusterIP: field is immutable",
		},
		"a webhook of the member adds one": {
			spoil: func(run DryRun) DryRun {
				set64(run.Result, 30000, "spec", "healthCheckNodePort")
				return run
			},
			want: "service/web in cluster a: spec.healthCheckNodePort would change from nothing to 30000",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			f.spoil = func(cluster string, ref Ref, run DryRun) DryRun {
				if cluster == "a" && ref.Kind == "Service" {
					return tc.spoil(run)
				}
				return run
			}
			f.run(30)
			f.blocked(v1alpha1.ReasonPlanHarmful, tc.want)
			if f.status.Plan.Harmful != 1 || f.status.Phase != v1alpha1.PhasePreparing {
				t.Errorf("%d harmful changes, phase %s", f.status.Plan.Harmful, f.status.Phase)
			}
			f.spoil = nil
			f.settle(v1alpha1.PhaseFederated)
		})
	}
}

// TestFailuresAfterOpening rolls back, or pauses, and stays so until a person tries again.
func TestFailuresAfterOpening(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  func(*federation)
		reason string
	}{
		"a container restarted": {
			fault: func(f *federation) { f.members["a"].pods[1].Restarts++ }, reason: v1alpha1.ReasonEvidenceChanged,
		},
		"a pod is gone": {
			fault: func(f *federation) { f.members["a"].pods = f.members["a"].pods[1:] }, reason: v1alpha1.ReasonUnhealthy,
		},
		"a pod is of another revision": {
			fault:  func(f *federation) { f.members["a"].pods[0] = Pod{Name: "x", UID: "x", Ready: true, Revision: "x"} },
			reason: v1alpha1.ReasonEvidenceChanged,
		},
		"a pod is not ready":    {fault: func(f *federation) { f.members["a"].pods[0].Ready = false }, reason: v1alpha1.ReasonUnhealthy},
		"a static release in b": {fault: func(f *federation) { f.image("b", "web:2"); f.expect("b") }, reason: v1alpha1.ReasonPlanHarmful},
		"a policy deleted":      {fault: func(f *federation) { delete(f.control.Policies, "configmap-web") }, reason: v1alpha1.ReasonPolicyLost},
		"the member went silent": {
			fault: func(f *federation) { f.members["a"].down = true; f.now = f.now.Add(time.Hour) }, reason: v1alpha1.ReasonStepTimedOut,
		},
	} {
		for _, action := range []v1alpha1.OnFailure{v1alpha1.OnFailureRollback, v1alpha1.OnFailurePause} {
			t.Run(name+", "+string(action), func(t *testing.T) {
				f := newFederation(t)
				f.onFail = action
				f.settle(v1alpha1.PhaseOpening)
				f.restarted = nil
				tc.fault(f)
				f.restarted = nil
				f.run(20)
				if f.status.Failure == nil || f.status.Failure.Reason != tc.reason {
					t.Fatalf("failure %+v, want %s; %+v", f.status.Failure, tc.reason, f.advancing())
				}
				want := map[v1alpha1.OnFailure]v1alpha1.Phase{v1alpha1.OnFailureRollback: v1alpha1.PhaseCutOff,
					v1alpha1.OnFailurePause: v1alpha1.PhaseOpening}[action]
				if f.status.Phase != want {
					t.Errorf("phase %s, want %s", f.status.Phase, want)
				}
			})
		}
	}
}

// TestOldApprovalsDoNotCount: what was approved before a rollback was another attempt, though it reads the same.
func TestOldApprovalsDoNotCount(t *testing.T) {
	f := newFederation(t)
	f.need = 2
	f.settle(v1alpha1.PhaseAwaitingApproval)
	f.approve("alice", "bob")
	hash := f.status.Plan.Hash
	f.settle(v1alpha1.PhaseFederated)
	if said := f.said(v1alpha1.PhaseOpening); !strings.Contains(said, "plan "+hash+", approved by alice, bob") {
		t.Errorf("the history says of the opening %q", said)
	}
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	if planned := meta.FindStatusCondition(f.status.Conditions, v1alpha1.ConditionPlanned); f.status.Plan != nil ||
		f.status.ApprovalsDone != "" || planned != nil {
		t.Errorf("the plan that is past is still shown: %+v, %q, %+v", f.status.Plan, f.status.ApprovalsDone, planned)
	}
	f.whitelist()
	f.settle(v1alpha1.PhaseAwaitingApproval)
	f.run(5)
	if f.status.Plan.Hash != hash {
		t.Errorf("the same content has plan %s, and had %s", f.status.Plan.Hash, hash)
	}
	if f.status.Phase != v1alpha1.PhaseAwaitingApproval || f.status.ApprovalsDone != "0/2" {
		t.Errorf("%s with %s approvals: the old ones counted", f.status.Phase, f.status.ApprovalsDone)
	}
}

// said in the history of a phase's beginning.
func (f *federation) said(phase v1alpha1.Phase) string {
	for _, entry := range f.status.History {
		if entry.Phase == phase {
			return entry.Message
		}
	}
	return ""
}

// A leave plan is none for coming in, nor the other way round.
func TestAPlanIsForItsPurpose(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.entry, f.spec.AfterCutOff = nil, v1alpha1.AfterCutOffLeave
	f.settle(v1alpha1.PhaseLeft)
	f.run(1)
	if f.status.Plan == nil || f.status.Plan.Purpose != v1alpha1.PlanLeave {
		t.Fatalf("it left by %+v", f.status.Plan)
	}
	f.image("b", "web:9")
	f.expect("b")
	f.whitelist()
	f.run(3)
	f.blocked(v1alpha1.ReasonImagesDiffer, "release one version")
	if f.status.Plan != nil || f.status.ApprovalsDone != "" {
		t.Errorf("it is to come in by %+v, approved %s", f.status.Plan, f.status.ApprovalsDone)
	}
}

// TestPlanChangesAfterApproval: a static release while approvals are gathered makes another plan.
func TestPlanChangesAfterApproval(t *testing.T) {
	f := newFederation(t)
	f.need = 2
	f.settle(v1alpha1.PhaseAwaitingApproval)
	f.approve("alice")
	hash := f.status.Plan.Hash
	release(f, "web:2", 5)
	f.approve("bob")
	f.run(10)
	if f.status.Plan.Hash == hash || f.status.ApprovalsDone != "0/2" {
		t.Errorf("plan %s with %s approvals after a release, want another plan than %s with none", f.status.Plan.Hash, f.status.ApprovalsDone,
			hash)
	}
}

func TestWaiting(t *testing.T) {
	for name, tc := range map[string]struct {
		set    func(*federation)
		reason string
		phase  v1alpha1.Phase
	}{
		"paused": {set: func(f *federation) { f.mode = v1alpha1.ModePause }, reason: v1alpha1.ReasonPaused, phase: v1alpha1.PhasePending},
		"not its turn": {
			set: func(f *federation) { f.turn = Turn{Reason: v1alpha1.ReasonBatchPending} }, reason: v1alpha1.ReasonBatchPending,
			phase: v1alpha1.PhasePending,
		},
		"no release yet": {
			set: func(f *federation) { f.entry.Trigger = v1alpha1.TriggerOnRelease }, reason: v1alpha1.ReasonTriggerPending,
			phase: v1alpha1.PhasePending,
		},
		"a later batch prepares": {
			set:    func(f *federation) { f.turn = Turn{Prepare: true, Reason: v1alpha1.ReasonBatchPending} },
			reason: v1alpha1.ReasonBatchPending, phase: v1alpha1.PhasePreparing,
		},
		"frozen": {
			set: func(f *federation) {
				f.freeze = []gatev1alpha1.FreezeWindow{{Name: "day", Days: []gatev1alpha1.Weekday{"Monday"}, From: "09:00", To: "18:00"}}
			},
			reason: v1alpha1.ReasonFrozen, phase: v1alpha1.PhasePreparing,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			tc.set(f)
			f.run(20)
			if got := f.advancing().Reason; got != tc.reason || f.status.Phase != tc.phase {
				t.Errorf("%s in phase %s, want %s in %s", got, f.status.Phase, tc.reason, tc.phase)
			}
			if f.status.Management != v1alpha1.ManagementStatic {
				t.Errorf("managed: %s while it waits", f.status.Management)
			}
		})
	}
}

// TestSharedConfigMap stays static until every user of it is federated, then comes in with the last one.
func TestSharedConfigMap(t *testing.T) {
	f := newFederation(t)
	for name := range f.members {
		f.put(name, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: other, namespace: shop}, spec: {
			replicas: 1, template: {metadata: {labels: {app: other}},
  spec: {containers: [{name: other, image: "other:1", envFrom: [{configMapRef: {name: web}}]}]}}}}`)
	}
	note := func() string {
		for _, resource := range f.status.Resources {
			if resource.Kind == "ConfigMap" {
				return resource.Note
			}
		}
		return "not found"
	}
	f.settle(v1alpha1.PhaseFederated)
	if !strings.Contains(note(), "deployment/other, which is not federated") || f.control.Policies["configmap-web"] != nil {
		t.Errorf("the shared ConfigMap was taken in: note %q", note())
	}
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	f.whitelist()
	f.neighbours = map[string]Neighbour{"deployment/other": {Settled: true, Clusters: map[string]bool{"a": true, "b": true}}}
	f.settle(v1alpha1.PhaseFederated)
	if note() != "" || f.control.Policies["configmap-web"].Annotations[v1alpha1.AnnotationReferrers] != "deployment/other,deployment/web" {
		t.Errorf("the shared ConfigMap did not come in: note %q", note())
	}
	// One user's cut-off closes it in that user's clusters.
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	if !policy.Suspended(f.control.Policies["configmap-web"].Spec.Suspension, "a") {
		t.Error("the shared ConfigMap is still dispatched to a cluster of an application that is cut off")
	}
}

func set64(object *unstructured.Unstructured, value int64, fields ...string) {
	_ = unstructured.SetNestedField(object.Object, value, fields...)
}

func (f *federation) scale(cluster string, replicas int64) {
	workload := f.workloadIn(cluster)
	set64(workload, replicas, "spec", "replicas")
	set64(workload, replicas, "status", "replicas")
	set64(workload, replicas, "status", "updatedReplicas")
	f.startPods(cluster)
}

func (f *federation) image(cluster, image string) {
	next := f.workloadIn(cluster).DeepCopy()
	containers, _, _ := unstructured.NestedSlice(next.Object, "spec", "template", "spec", "containers")
	containers[0].(map[string]any)["image"] = image
	_ = unstructured.SetNestedSlice(next.Object, containers, "spec", "template", "spec", "containers")
	f.write(cluster, next)
	f.restarted = nil
	f.startPods(cluster)
}

func (f *federation) rival(name string, priority int32) {
	rival := &policyv1alpha1.PropagationPolicy{}
	rival.Name = "rival"
	rival.Spec.Priority = &priority
	rival.Spec.ResourceSelectors = []policyv1alpha1.ResourceSelector{{APIVersion: f.app.APIVersion, Kind: f.app.Kind, Name: name}}
	f.control.Policies["rival"] = rival
}

// After a CRD of the control plane was upgraded, Karmada's watch may have seen a template without the new field, and nothing comes
// after it: the template is touched, and the application comes in. What Karmada never carries is said, and nothing opens.
func TestATemplateThatKarmadaDidNotSeeWhole(t *testing.T) {
	for _, heals := range []bool{true, false} {
		f := newFederation(t)
		for name := range f.members {
			next := f.workloadIn(name).DeepCopy()
			set64(next, 5, "spec", "minReadySeconds")
			f.write(name, next)
			f.expect(name)
		}
		f.unseen = map[Ref]string{f.app: "minReadySeconds"}
		touched := 0
		for range 30 {
			decision := f.step(-1)
			for _, action := range decision.Actions {
				if value, ok := action.Annotations[v1alpha1.AnnotationTouched]; ok && value != nil {
					touched++
				}
			}
			if !heals {
				f.unseen[f.app] = "minReadySeconds"
			}
			for _, reaction := range reactions {
				reaction.run(f)
			}
			f.invariants()
			f.now = f.now.Add(15 * time.Second)
		}
		if heals {
			f.settle(v1alpha1.PhaseFederated)
			if touched != 1 {
				t.Errorf("touched %d times, want once", touched)
			}
			continue
		}
		f.blocked(v1alpha1.ReasonPlanHarmful, "lacks spec.minReadySeconds of deployment/web, which the template has: the template is touched")
	}
}
