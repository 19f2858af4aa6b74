package plan

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// Leaving for good: what is proved again before a template goes, and what holds it back.

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

// Templates and policies are let go of, and then a member turns out to be in the middle of a release. Until that is over and another
// plan approved nothing is removed, and nobody may: all are guarded again.
func TestWhatWasLetGoOfIsGuardedAgain(t *testing.T) {
	f := cutOffAndReleased(t)
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	for range 60 {
		if template := f.control.Templates[f.app]; template.GetAnnotations()[v1alpha1.AnnotationLeaving] != "" {
			break
		}
		f.step(-1)
		for _, reaction := range reactions {
			reaction.run(f)
		}
	}
	f.put("b", `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: edited}}`)
	set64(f.workloadIn("b"), 1, "status", "updatedReplicas")
	f.run(10)
	f.blocked(v1alpha1.ReasonRolloutRunning, "finish it first")
	guarded := func(object metav1.Object) {
		t.Helper()
		annotations := object.GetAnnotations()
		if annotations[v1alpha1.AnnotationLeaving] != "" || annotations[v1alpha1.AnnotationCutOff] == "" ||
			object.GetLabels()["resourcetemplate.karmada.io/deletion-protected"] == "" {
			t.Errorf("%s may be deleted: %v, %v", object.GetName(), annotations, object.GetLabels())
		}
	}
	if len(f.control.Templates) != 4 {
		t.Fatalf("%d templates, want 4", len(f.control.Templates))
	}
	for _, template := range f.control.Templates {
		guarded(template)
	}
	for _, existing := range f.control.Policies {
		guarded(existing)
	}
	set64(f.workloadIn("b"), 7, "status", "updatedReplicas")
	f.settle(v1alpha1.PhaseLeft)
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
	if last := f.status.History[len(f.status.History)-1]; !strings.Contains(last.Message, "pods are gone") ||
		f.status.Management != v1alpha1.ManagementStatic {
		t.Errorf("history says %q, managed: %s", last.Message, f.status.Management)
	}
}

// Somebody opens a policy by hand while the leave plan waits to be read: it is closed again, CI/CD waits that long, and
// nothing is removed, since nobody has approved it.
func TestAnUnapprovedLeaveRemovesNothing(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.entry, f.spec.AfterCutOff, f.need = nil, v1alpha1.AfterCutOffLeave, 1
	f.settle(v1alpha1.PhaseLeaving)
	f.run(10)
	opened := f.control.Policies["deployment-web"].DeepCopy()
	opened.Spec.Suspension = nil
	f.control.Policies["deployment-web"] = opened
	f.detect()
	f.bind()
	waited := false
	for range 20 {
		f.run(1)
		waited = waited || f.status.Management == v1alpha1.ManagementChanging
	}
	if len(f.control.Templates) != 4 || f.status.RemovalStartTime != nil || !closed(f.control.Policies["deployment-web"]) {
		t.Errorf("%d templates, removal since %v", len(f.control.Templates), f.status.RemovalStartTime)
	}
	if !waited || f.status.Management != v1alpha1.ManagementStatic {
		t.Errorf("CI/CD waited: %v, and is managed: %s now", waited, f.status.Management)
	}
}

// While it was federated the workload was scheduled away from a cluster, and its ConfigMap was not: leaving lets go of
// that too, with what it is there.
func TestWhatStayedBehindIsLetGo(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	moved := f.control.Policies["deployment-web"].DeepCopy()
	moved.Spec.Placement.ClusterAffinity.ClusterNames = []string{"a"}
	f.control.Policies["deployment-web"] = moved
	f.detect()
	f.schedule()
	f.bind()
	f.execute()
	delete(f.members["b"].objects, f.app)
	f.members["b"].pods = nil
	for name := range f.members {
		f.startPodsIfAny(name)
		f.expect(name)
	}
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	f.put("b", `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: later}}`)
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	f.settle(v1alpha1.PhaseLeft)
	if len(f.works["b"]) > 0 || len(f.control.Templates) > 0 {
		t.Errorf("left behind: Works %v, %d templates", f.works["b"], len(f.control.Templates))
	}
}

func (f *federation) startPodsIfAny(cluster string) {
	if f.workloadIn(cluster) != nil {
		f.startPods(cluster)
	}
}

// The namespace is protected for as long as anything of any application is in it, and by us only: what its owners
// protected stays protected.
func TestTheNamespaceIsLetGoOf(t *testing.T) {
	for name, tc := range map[string]struct {
		before     Home
		neighbours map[string]Neighbour
		want       bool
	}{
		"the last one leaves":            {},
		"another is there still":         {neighbours: map[string]Neighbour{"deployment/other": {Owner: "deployment-other"}}, want: true},
		"another has left":               {neighbours: map[string]Neighbour{"deployment/other": {Owner: "deployment-other", Gone: true}}},
		"its owners protected it before": {before: Home{Protected: true, Version: "1"}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFederation(t)
			f.home, f.neighbours = tc.before, tc.neighbours
			f.step(-1)
			if len(f.control.Templates) > 0 || !f.home.Protected {
				t.Fatalf("%d templates in a namespace that is protected: %v", len(f.control.Templates), f.home.Protected)
			}
			f.settle(v1alpha1.PhaseFederated)
			f.entry = nil
			f.settle(v1alpha1.PhaseCutOff)
			if !f.home.Protected {
				t.Error("the namespace of an application that is cut off may be deleted")
			}
			f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
			f.settle(v1alpha1.PhaseLeft)
			f.run(1)
			if f.home.Protected != tc.want {
				t.Errorf("protected: %v, want %v", f.home.Protected, tc.want)
			}
		})
	}
}

// Clusters that went apart while the application was cut off can leave: the plan keeps each as it is. Only who comes in is asked for
// one version.
func TestLeavingWithDifferingImages(t *testing.T) {
	f := cutOffAndReleased(t)
	f.image("a", "web:hotfix")
	f.expect("a")
	f.restarted = nil
	f.startPods("a")
	f.spec.AfterCutOff = v1alpha1.AfterCutOffLeave
	f.settle(v1alpha1.PhaseLeft)
}
