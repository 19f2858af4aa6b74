package plan

import (
	"strings"
	"testing"

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

// While the application was cut off its owners deleted an object and made it anew, with what no API server lets an update
// change. It is not taken in, and nothing is tried; it can leave, and come in as what it is then.
func TestWhatNoTemplateCanTakeOn(t *testing.T) {
	deployment := `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: 3,
  selector: {matchLabels: {app: web, tier: front}}, template: {metadata: {labels: {app: web, tier: front}}, spec: {
  containers: [{name: web, image: "web:2", envFrom: [{configMapRef: {name: web}}, {secretRef: {name: web}}]}]}}}}`
	for name, tc := range map[string]struct {
		before, after string
		// where it is made anew; everywhere when empty.
		where string
		// field that is named; empty when an override takes the difference.
		field string
	}{
		"a Deployment's selector":               {after: deployment, field: "spec.selector"},
		"a selector where the template is from": {after: deployment, where: "a", field: "spec.selector"},
		"a selector where the template is not":  {after: strings.Replace(deployment, "replicas: 3", "replicas: 1", 1), where: "b"},
		"an immutable ConfigMap's data": {
			before: `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, immutable: true, data: {level: info}}`,
			after:  `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, immutable: true, data: {level: debug}}`,
			field:  "data",
		},
		"a Service that becomes headless": {
			after: `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop},
				spec: {selector: {app: web}, ports: [{port: 80}], clusterIP: None}}`,
			field: "spec.clusterIP",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			for cluster := range f.members {
				if tc.before != "" {
					f.put(cluster, tc.before)
				}
			}
			f.settle(v1alpha1.PhaseFederated)
			f.entry = nil
			f.settle(v1alpha1.PhaseCutOff)
			release(f, "web:2", 2)
			for cluster := range f.members {
				if tc.where == "" || tc.where == cluster {
					f.anew(cluster, tc.after)
				}
			}
			f.whitelist()
			if tc.field == "" {
				f.settle(v1alpha1.PhaseFederated)
				return
			}
			f.run(20)
			f.blocked(v1alpha1.ReasonWriteRefused, tc.field+" in the members")
			f.blocked(v1alpha1.ReasonWriteRefused, "'leave') and list it anew")
			f.entry = nil
			f.settle(v1alpha1.PhaseCutOff)
			f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
			f.settle(v1alpha1.PhaseLeft)
			f.spec.AfterCutOff = ""
			f.whitelist()
			f.settle(v1alpha1.PhaseFederated)
		})
	}
}

// anew deletes an object in a member and makes another in its place.
func (f *federation) anew(cluster, text string) {
	f.t.Helper()
	delete(f.members[cluster].objects, policy.RefOf(object(f.t, text)))
	f.put(cluster, text)
	f.startPods(cluster)
}

// A dependency that the pods stopped using, or that is gone everywhere, is not forgotten in the control plane: it
// stays on record, closed, and goes when the application leaves.
func TestADependencyIsNeverForgotten(t *testing.T) {
	f := cutOffAndReleased(t)
	for name := range f.members {
		next := f.workloadIn(name).DeepCopy()
		_ = unstructured.SetNestedSlice(next.Object, []any{map[string]any{"name": "web", "image": "web:3"}}, "spec", "template", "spec",
			"containers")
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

// An autoscaler that scales out and in again leaves other pods than there were: that is its right.
func TestAnAutoscalerMayReplacePods(t *testing.T) {
	f := newFederation(t)
	for name := range f.members {
		f.put(name,
			`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web, namespace: shop}, spec: {
				scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 2, maxReplicas: 9}}`)
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

// A Secret that was the same everywhere when it came in differs now: no override can keep it apart, and leaving it out would leave its
// template behind.
func TestWhatNoOverrideCanKeepApart(t *testing.T) {
	f := cutOffAndReleased(t)
	other := `{apiVersion: v1, kind: Secret, metadata: {name: web, namespace: shop}, data: {key: b3RoZXI=}}`
	same := `{apiVersion: v1, kind: Secret, metadata: {name: web, namespace: shop}, data: {key: c2VjcmV0}}`
	f.put("b", other)
	f.whitelist()
	f.run(20)
	f.blocked(v1alpha1.ReasonWriteRefused, "secret/web is in the control plane and cannot follow the members")
	f.entry, f.spec.AfterCutOff = nil, v1alpha1.AfterCutOffLeave
	f.settle(v1alpha1.PhaseLeaving)
	f.run(10)
	f.blocked(v1alpha1.ReasonWriteRefused, "Make it the same in every cluster")
	f.put("b", same)
	f.settle(v1alpha1.PhaseLeft)
	if left := len(f.control.Templates) + len(f.control.Policies); left > 0 {
		t.Errorf("%d objects are left in the control plane", left)
	}
}
