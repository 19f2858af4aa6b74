package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Traps of stock Karmada that the planner alone must not step into; ../traps_test.go lists them all.

// A binding whose preset clusters carry no replicas makes Karmada write 0 into each Work (ReviseReplica). Whoever
// presets one so by hand, nothing is opened before the planner has preset it as the members are.
func TestPresetClustersWithoutReplicas(t *testing.T) {
	f := newFederation(t)
	f.need = 1
	f.settle(v1alpha1.PhaseAwaitingApproval)
	f.run(3)
	binding := f.control.Bindings[f.app].DeepCopy()
	binding.Spec.Clusters = []workv1alpha2.TargetCluster{{Name: "a"}, {Name: "b"}}
	f.control.Bindings[f.app] = binding
	f.bind()
	if replicas, _ := policy.Replicas(f.works["a"][f.app].Manifest); replicas != 0 {
		t.Fatalf("the trap is not set: the Work carries %d replicas", replicas)
	}
	f.approve("alice")
	var preset []workv1alpha2.TargetCluster
	for _, action := range f.step(-1).Actions {
		if action.Verb == SetScheduling && action.Ref == f.app {
			preset = action.Clusters
		}
	}
	if diff := cmp.Diff([]workv1alpha2.TargetCluster{{Name: "a", Replicas: 6}, {Name: "b", Replicas: 4}}, preset); diff != "" {
		t.Errorf("preset (-want +got):\n%s", diff)
	}
	f.settle(v1alpha1.PhaseFederated)
}

// An edit of an OverridePolicy reaches every cluster of its object at once. The record is lost while everything is
// open, and other overrides are due, since b is the larger cluster by now: they are written when all is closed.
// (That none is ever written otherwise, whatever happens, is held by undisturbed in every test of this package.)
func TestAnOverrideReachesEveryClusterAtOnce(t *testing.T) {
	f := newFederation(t)
	for name := range f.members {
		next := f.workloadIn(name).DeepCopy()
		_ = unstructured.SetNestedField(next.Object, name, "spec", "template", "spec", "hostname")
		f.write(name, next)
		f.restarted = nil
		f.expect(name)
	}
	f.settle(v1alpha1.PhaseFederated)
	if at := rulesOf(f.control.Overrides["deployment-web"], "b"); !strings.Contains(at, "hostname") {
		t.Fatalf("b is kept apart by %q", at)
	}
	f.status = v1alpha1.MigrationStatus{}
	f.scaleFederated(map[string]int32{"a": 2, "b": 8})
	written := 0
	for range 40 {
		for _, action := range Next(f.world()).Actions {
			if action.Verb != WriteOverride {
				continue
			}
			written++
			for name := range f.works {
				if work := f.works[name][f.app]; !work.silent() {
					t.Errorf("%s is written while the Work of cluster %s is dispatched", action.Ref.Name, name)
				}
			}
		}
		f.run(1)
	}
	if at := rulesOf(f.control.Overrides["deployment-web"], "a"); written == 0 || !strings.Contains(at, "hostname") {
		t.Errorf("%d overrides were written, and a is kept apart by %q", written, at)
	}
	f.settle(v1alpha1.PhaseFederated)
}

// Where Karmada preserves what it deschedules, the pods run on and nobody counts them. They are counted here, and
// taken in when the application is adopted again.
func TestUnmanagedPodsAreCounted(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.place("a")
	f.run(2)
	const says = "4 pods of deployment/web run on in cluster b"
	if got := f.advancing(); got.Reason != v1alpha1.ReasonUnmanagedPods || !strings.Contains(got.Message, says) ||
		f.status.Phase != v1alpha1.PhaseFederated {
		t.Fatalf("phase %s, %s: %s; want %q", f.status.Phase, got.Reason, got.Message, says)
	}
	f.members["b"].down = true
	f.run(1)
	if got := f.advancing().Message; !strings.Contains(got, "cluster b does not answer") {
		t.Errorf("of a cluster that is silent it says %q", got)
	}
	f.members["b"].down = false
	f.members["b"].leaving = true
	f.run(1)
	if got := f.advancing().Message; !strings.Contains(got, says) || !strings.Contains(got, "let the application leave") {
		t.Errorf("of a cluster that is being unjoined it says %q", got)
	}
	world := f.world()
	delete(world.Clusters, "b")
	if got := meta.FindStatusCondition(Next(world).Status.Conditions, v1alpha1.ConditionAdvancing).Reason; got != v1alpha1.ReasonAllDone {
		t.Errorf("of a cluster that is unjoined it says %s", got)
	}
	f.members["b"].leaving = false
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	f.whitelist()
	f.settle(v1alpha1.PhaseFederated)
	f.run(1)
	if replicas, _ := policy.Replicas(f.control.Templates[f.app]); replicas != 14 || f.advancing().Reason != v1alpha1.ReasonAllDone {
		t.Errorf("the template has %d replicas, want 14; %+v", replicas, f.advancing())
	}
}

// place the application in other clusters the way its owners do, through its policy.
func (f *federation) place(clusters ...string) {
	moved := f.control.Policies[policy.Name(f.app.Kind, f.app.Name)].DeepCopy()
	moved.Spec.Placement.ClusterAffinity.ClusterNames = clusters
	f.control.Policies[moved.Name] = moved
	f.detect()
	f.schedule()
	f.bind()
	f.execute()
	for _, name := range clusters {
		f.startPods(name)
		f.expect(name)
	}
}

// All metadata that Karmada 1.16 adds to what it manages is bookkeeping, and nothing beside it.
func TestKarmadasOwnMetadata(t *testing.T) {
	adds := map[string][]string{
		"labels": {
			"karmada.io/managed", "resourcebinding.karmada.io/permanent-id", "work.karmada.io/permanent-id",
			"propagationpolicy.karmada.io/permanent-id",
		},
		"annotations": {
			"propagationpolicy.karmada.io/namespace", "propagationpolicy.karmada.io/name",
			"resourcebinding.karmada.io/namespace", "resourcebinding.karmada.io/name",
			"work.karmada.io/namespace", "work.karmada.io/name", "work.karmada.io/conflict-resolution",
			"resourcetemplate.karmada.io/uid", "resourcetemplate.karmada.io/generation",
			"resourcetemplate.karmada.io/managed-labels", "resourcetemplate.karmada.io/managed-annotations",
		},
	}
	live := object(t, `{apiVersion: v1, kind: Service, metadata: {name: web}}`)
	for field, keys := range adds {
		for _, key := range append(keys, "example.dev/karmada.io", "karmada.io/other") {
			planned := live.DeepCopy()
			_ = unstructured.SetNestedStringMap(planned.Object, map[string]string{key: "x"}, "metadata", field)
			want := v1alpha1.ChangeHarmful
			if slices.Contains(keys, key) {
				want = v1alpha1.ChangeBookkeeping
			}
			if got := Compare(live, planned); len(got) != 1 || got[0].Kind != want {
				t.Errorf("%s %s: %+v, want %s", field, key, got, want)
			}
		}
	}
}
