package plan

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// The accidents that only the order of events makes possible. The model of Karmada writes a stored manifest back
// when a preserved Work goes, reverts what it is not told to leave alone, and deletes what is not preserved:
// invariants fails as soon as a member is not what its owners made it.

var webConfig = Ref{APIVersion: "v1", Kind: "ConfigMap", Name: "web"}

// cutOffAndReleased is an application that was federated, cut off, and released statically since.
func cutOffAndReleased(t *testing.T) *federation {
	t.Helper()
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	release(f, "web:2", 7)
	return f
}

func (f *federation) blocked(reason, remedy string) {
	f.t.Helper()
	if got := f.advancing(); f.status.Blocked != reason || !strings.Contains(got.Message, remedy) {
		f.t.Errorf("blocked by %q (%s), want %q with %q", f.status.Blocked, got.Message, reason, remedy)
	}
}

func TestAClusterNeverDropsOutUnseen(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  func(*federation)
		remedy string
		mend   func(*federation)
	}{
		"taken out of the entry": {
			fault:  func(f *federation) { f.entry.Clusters = []string{"a"} },
			remedy: "put it back into the whitelist's entry",
			mend:   func(f *federation) { f.entry.Clusters = []string{"a", "b"} },
		},
		"a ConfigMap was removed in one member": {
			fault:  func(f *federation) { delete(f.members["b"].objects, webConfig); f.expect("b") },
			remedy: "put it back there",
			mend: func(f *federation) {
				f.put("b", `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: new}}`)
			},
		},
		"the workload was removed in one member": {
			fault: func(f *federation) {
				f.saved = f.workloadIn("b")
				delete(f.members["b"].objects, f.app)
				f.expect("b")
			},
			remedy: "put it back there",
			mend:   func(f *federation) { f.write("b", f.saved); f.expect("b") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := cutOffAndReleased(t)
			f.whitelist()
			tc.fault(f)
			f.run(20)
			f.blocked(v1alpha1.ReasonClusterDropped, tc.remedy)
			tc.mend(f)
			f.settle(v1alpha1.PhaseFederated)
		})
	}
}

// A dependency that the pods stopped using, or that is gone everywhere, is not forgotten in the control plane: it
// stays on record, closed, and goes when the application leaves.
func TestADependencyIsNeverForgotten(t *testing.T) {
	f := cutOffAndReleased(t)
	for name := range f.members {
		next := f.workloadIn(name).DeepCopy()
		_ = unstructured.SetNestedSlice(next.Object, []any{map[string]any{"name": "web", "image": "web:3"}}, "spec", "template", "spec", "containers")
		f.write(name, next)
		f.restarted = nil
		f.startPods(name)
		f.expect(name)
	}
	secret := Ref{APIVersion: "v1", Kind: "Secret", Name: "web"}
	for name := range f.members {
		delete(f.members[name].objects, secret)
		f.expect(name)
	}
	f.whitelist()
	f.settle(v1alpha1.PhaseFederated)
	for _, want := range []string{"configmap-web", "secret-web"} {
		if found := f.onRecord(want); found == nil {
			t.Errorf("%s is not on record any more", want)
		}
	}
	if !closed(f.control.Policies["secret-web"]) {
		t.Error("what is gone everywhere is open again")
	}
	f.entry, f.spec.AfterCutOff = nil, v1alpha1.AfterCutOffLeave
	f.settle(v1alpha1.PhaseLeaving)
	f.run(10)
	f.blocked(v1alpha1.ReasonClusterDropped, "put it back there")
	for name := range f.members {
		f.put(name, `{apiVersion: v1, kind: Secret, metadata: {name: web, namespace: shop}, data: {key: bmV3}}`)
	}
	f.settle(v1alpha1.PhaseLeft)
	if left := len(f.control.Templates) + len(f.control.Policies) + len(f.control.Overrides); left > 0 {
		t.Errorf("%d objects are left in the control plane", left)
	}
}

func (f *federation) onRecord(policyName string) *v1alpha1.ResourceStatus {
	for i := range f.status.Resources {
		if f.status.Resources[i].Policy == policyName {
			return &f.status.Resources[i]
		}
	}
	return nil
}

// The record is deleted past admission while everything is open, and the base of the overrides is another cluster
// by then: nothing is rewritten before all is closed, and CI/CD waits that long.
func TestALostRecordClosesFirst(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.status = v1alpha1.MigrationStatus{}
	// The owners have moved most replicas to b through the control plane, so that b is the larger now.
	f.scaleFederated(map[string]int32{"a": 2, "b": 8})
	for range 40 {
		f.step(-1)
		open := false
		for name := range f.works {
			for _, work := range f.works[name] {
				open = open || !work.Suspended
			}
		}
		if open && f.status.Management == v1alpha1.ManagementStatic && f.status.Phase != v1alpha1.PhasePending {
			t.Fatalf("static management is open in phase %s while Works are dispatched", f.status.Phase)
		}
		for _, reaction := range reactions {
			reaction.run(f)
			f.invariants()
		}
	}
	f.settle(v1alpha1.PhaseFederated)
}

// scaleFederated moves replicas between clusters the way the federation does.
func (f *federation) scaleFederated(replicas map[string]int32) {
	binding := f.control.Bindings[f.app].DeepCopy()
	for i := range binding.Spec.Clusters {
		binding.Spec.Clusters[i].Replicas = replicas[binding.Spec.Clusters[i].Name]
	}
	f.control.Bindings[f.app] = binding
	f.bind()
	f.execute()
	for name := range f.members {
		f.startPods(name)
		f.expect(name)
	}
}

// The controller dies after it noted that it opens a cluster, and comes back when the member is another.
func TestOpeningIsProvedAgainAfterACrash(t *testing.T) {
	f := newFederation(t)
	for range 20 {
		before := f.status.Phase
		f.step(0) // notes, and dies before it writes
		if f.status.Phase == v1alpha1.PhaseOpening && before != v1alpha1.PhaseOpening {
			break
		}
		f.step(-1)
		for _, reaction := range reactions {
			reaction.run(f)
		}
	}
	if f.status.Phase != v1alpha1.PhaseOpening {
		t.Fatalf("phase %s", f.status.Phase)
	}
	f.put("a", `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: eu-a, shared: edited}}`)
	f.now = f.now.Add(time.Minute)
	f.settle(v1alpha1.PhaseCutOff)
	if f.status.Failure == nil || f.status.Failure.Reason != v1alpha1.ReasonPlanHarmful {
		t.Errorf("failure %+v, want %s", f.status.Failure, v1alpha1.ReasonPlanHarmful)
	}
}

// Leaving is approved, the controller is down for an hour, and a member is edited meanwhile.
func TestLeavingIsProvedAgain(t *testing.T) {
	f := cutOffAndReleased(t)
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	for range 60 {
		if f.status.Phase == v1alpha1.PhaseLeaving && f.status.Management == v1alpha1.ManagementChanging {
			break
		}
		f.run(1)
	}
	hash := f.status.Plan.Hash
	f.put("b", `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: edited}}`)
	f.settle(v1alpha1.PhaseLeft)
	if f.status.Plan.Hash == hash {
		t.Error("it left by the plan of before the edit")
	}
}

// While the control plane's objects are removed somebody takes preservation away: no template is deleted any more.
func TestLeavingStopsWhereAWorkWouldTakeItsObject(t *testing.T) {
	f := cutOffAndReleased(t)
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	for range 60 {
		if f.status.RemovalStartTime != nil {
			break
		}
		f.run(1)
	}
	for name, existing := range f.control.Policies {
		changed := existing.DeepCopy()
		changed.Spec.PreserveResourcesOnDeletion = nil
		f.control.Policies[name] = changed
	}
	f.detect()
	f.bind()
	f.run(10)
	if got := f.advancing().Message; !strings.Contains(got, "does not preserve on deletion: its template is not deleted until it does") {
		t.Errorf("says %q", got)
	}
}

// Policies go last: as long as Karmada has a Work, its policy keeps it suspended and preserving.
func TestPoliciesGoAfterTheWorks(t *testing.T) {
	f := cutOffAndReleased(t)
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	for range 60 {
		f.step(-1)
		for _, reaction := range reactions {
			if reaction.name != "garbage" {
				reaction.run(f)
			}
		}
	}
	if len(f.control.Templates) > 0 || len(f.control.Policies) != 4 || f.status.Phase != v1alpha1.PhaseLeaving {
		t.Errorf("%d templates, %d policies, phase %s; want none, 4, Leaving", len(f.control.Templates), len(f.control.Policies), f.status.Phase)
	}
	f.settle(v1alpha1.PhaseLeft)
}

// A failed application can leave like any other once it is off the whitelist.
func TestAFailedApplicationCanLeave(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseOpening)
	f.members["a"].pods[0].Restarts++
	f.settle(v1alpha1.PhaseCutOff)
	f.entry, f.spec.AfterCutOff = nil, v1alpha1.AfterCutOffLeave
	f.settle(v1alpha1.PhaseLeft)
	before := len(f.status.History)
	f.run(20)
	if f.status.Phase != v1alpha1.PhaseLeft || len(f.status.History) != before {
		t.Errorf("it left, and then: %s, %+v", f.status.Phase, f.status.History[before:])
	}
}

// What was asked for while the application was being cut off is not slept over: nothing else will wake the controller.
func TestNothingIsSleptOver(t *testing.T) {
	for name, ask := range map[string]func(*federation){
		"to leave":         func(f *federation) { f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave },
		"to be let in":     func(f *federation) { f.whitelist() },
		"nothing, to rest": func(*federation) {},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			f.settle(v1alpha1.PhaseFederated)
			f.entry = nil
			f.step(-1)
			ask(f)
			var last Decision
			for range 20 {
				if last = f.step(-1); f.status.Phase == v1alpha1.PhaseCutOff {
					break
				}
				for _, reaction := range reactions {
					reaction.run(f)
				}
			}
			if rests := last.Requeue == resting; rests != (name == "nothing, to rest") {
				t.Errorf("in phase %s it looks again after %s", f.status.Phase, last.Requeue)
			}
		})
	}
}

// What happened in a member while the control plane's objects were removed is said, and holds nobody back.
func TestLeavingEndsWhateverItFinds(t *testing.T) {
	f := cutOffAndReleased(t)
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	for range 60 {
		if len(f.control.Templates) == 0 {
			break
		}
		f.run(1)
	}
	f.members["a"].pods = f.members["a"].pods[1:]
	f.settle(v1alpha1.PhaseLeft)
	if last := f.status.History[len(f.status.History)-1]; !strings.Contains(last.Message, "pods are gone") || f.status.Management != v1alpha1.ManagementStatic {
		t.Errorf("history says %q, managed: %s", last.Message, f.status.Management)
	}
}

// While federated the workload was scheduled to a third cluster: a cut-off proves that one closed too, and
// leaving lets go of it too.
func TestAClusterThatCameLater(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.members["c"] = &member{objects: map[Ref]*unstructured.Unstructured{}, ready: true, kinds: servedKinds}
	f.works["c"] = map[Ref]*Work{}
	for ref, next := range f.control.Policies {
		moved := next.DeepCopy()
		moved.Spec.Placement.ClusterAffinity.ClusterNames = []string{"a", "b", "c"}
		f.control.Policies[ref] = moved
	}
	f.detect()
	f.schedule()
	for ref, binding := range f.control.Bindings {
		if len(binding.Spec.Clusters) < 3 {
			t.Fatalf("%s is not in cluster c: %+v", ref.Name, binding.Spec.Clusters)
		}
	}
	f.bind()
	f.execute()
	for name := range f.members {
		f.startPods(name)
		f.expect(name)
	}
	f.entry = nil
	for range 20 {
		f.step(-1)
		for _, reaction := range reactions {
			reaction.run(f)
		}
		f.works["c"][f.app].Dispatching = metav1.ConditionTrue // its agent has not heard of it
	}
	if got := f.advancing().Message; f.status.Phase != v1alpha1.PhaseCuttingOff || !strings.Contains(got, "deployment/web for cluster c") {
		t.Fatalf("%s: %s", f.status.Phase, got)
	}
	f.settle(v1alpha1.PhaseCutOff)
	release(f, "web:2", 4)
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	f.settle(v1alpha1.PhaseLeft)
	if len(f.works["c"]) > 0 {
		t.Errorf("Works of cluster c are left: %v", f.works["c"])
	}
}

// Trigger OnRelease waits for a release after the last cut-off, not for one of the year before.
func TestOnReleaseWaitsForANewRelease(t *testing.T) {
	f := newFederation(t)
	f.entry.Trigger = v1alpha1.TriggerOnRelease
	released := metav1.NewTime(f.now)
	f.spec.ReleasedTime = &released
	f.settle(v1alpha1.PhaseFederated)
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	f.whitelist()
	f.entry.Trigger = v1alpha1.TriggerOnRelease
	f.run(10)
	if f.advancing().Reason != v1alpha1.ReasonTriggerPending || f.status.Phase != v1alpha1.PhaseCutOff {
		t.Fatalf("%s in phase %s", f.advancing().Reason, f.status.Phase)
	}
	released = metav1.NewTime(f.now)
	f.spec.ReleasedTime = &released
	f.settle(v1alpha1.PhaseFederated)
}

// A second Migration of one workload, or one made by hand under another name, takes nothing away.
func TestOneMigrationForAWorkload(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	second := f.world()
	second.Owner, second.Status = "mine", v1alpha1.MigrationStatus{}
	for range 5 {
		decision := Next(second)
		if len(decision.Actions) > 0 {
			t.Fatalf("it would write: %+v", decision.Actions)
		}
		second.Status = decision.Status
	}
	if second.Status.Blocked != v1alpha1.ReasonAlreadyManaged {
		t.Errorf("blocked by %q", second.Status.Blocked)
	}
}

func TestATemplateOfAnotherMigrationIsLeftAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		gone bool
		want v1alpha1.Phase
	}{
		"its owner is there": {want: v1alpha1.PhasePreparing},
		"its owner has left": {gone: true, want: v1alpha1.PhaseFederated},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			f.control.Templates[webConfig] = object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop, labels: {migration.argosy.dev/managed-by: deployment-other}}}`)
			f.neighbours = map[string]Neighbour{"deployment/other": {Owner: "deployment-other", Gone: tc.gone, Clusters: map[string]bool{"a": true}}}
			f.run(60)
			if f.status.Phase != tc.want {
				t.Errorf("phase %s, want %s: %+v", f.status.Phase, tc.want, f.advancing())
			}
		})
	}
}

// An autoscaler that scales out and in again leaves other pods than there were: that is its right.
func TestAnAutoscalerMayReplacePods(t *testing.T) {
	f := newFederation(t)
	for name := range f.members {
		f.put(name, `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web, namespace: shop}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 2, maxReplicas: 9}}`)
	}
	f.settle(v1alpha1.PhaseSoaking)
	first := append([]Pod(nil), f.members["a"].pods...)
	f.autoscale("a", append(first, Pod{Name: "x", UID: "x", Ready: true}, Pod{Name: "y", UID: "y", Ready: true}))
	f.run(1)
	f.autoscale("a", append(first[2:], f.members["a"].pods[len(first):]...))
	f.run(1)
	if f.status.Failure != nil {
		t.Fatalf("failed: %+v", f.status.Failure)
	}
	f.members["a"].pods[0].Restarts++
	f.run(1)
	if f.status.Failure == nil || f.status.Failure.Reason != v1alpha1.ReasonEvidenceChanged {
		t.Errorf("a restart was missed: %+v", f.status.Failure)
	}
}

func (f *federation) autoscale(cluster string, pods []Pod) {
	workload := f.workloadIn(cluster)
	for _, field := range [][]string{{"spec", "replicas"}, {"status", "replicas"}, {"status", "updatedReplicas"}} {
		set64(workload, int64(len(pods)), field...)
	}
	f.members[cluster].pods = pods
	f.expect(cluster)
}

// Two share a ConfigMap; the last one that leaves takes it out of the control plane.
func TestTheLastUserTakesTheSharedObjectAlong(t *testing.T) {
	f := newFederation(t)
	for name := range f.members {
		f.put(name, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: other, namespace: shop}, spec: {replicas: 1, template: {metadata: {labels: {app: other}},
  spec: {containers: [{name: other, image: "other:1", envFrom: [{configMapRef: {name: web}}]}]}}}}`)
	}
	other := Neighbour{Owner: "deployment-other", Settled: true, Clusters: map[string]bool{"a": true, "b": true}}
	f.neighbours = map[string]Neighbour{"deployment/other": other}
	f.settle(v1alpha1.PhaseFederated)
	f.entry, f.spec.AfterCutOff = nil, v1alpha1.AfterCutOffLeave
	f.settle(v1alpha1.PhaseCutOff)
	if f.control.Templates[webConfig].GetAnnotations()[v1alpha1.AnnotationCutOff] == "" {
		t.Error("the shared template of an application that is cut off may be deleted")
	}
	other.Settled, other.Gone, other.Clusters = false, true, map[string]bool{"a": false, "b": false}
	f.neighbours = map[string]Neighbour{"deployment/other": other}
	f.settle(v1alpha1.PhaseLeft)
	if f.control.Templates[webConfig] != nil || f.control.Policies[policy.Name("ConfigMap", "web")] != nil {
		t.Error("the shared ConfigMap is left in the control plane")
	}
}
