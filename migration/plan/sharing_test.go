package plan

import (
	"testing"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Objects that several applications use, and workloads that several records claim.

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
			f.control.Templates[webConfig] = object(t,
				`{apiVersion: v1, kind: ConfigMap,
					metadata: {name: web, namespace: shop, labels: {migration.argosy.dev/managed-by: deployment-other}}}`)
			f.neighbours = map[string]Neighbour{"deployment/other": {Owner: "deployment-other", Gone: tc.gone, Clusters: map[string]bool{"a": true}}}
			f.run(60)
			if f.status.Phase != tc.want {
				t.Errorf("phase %s, want %s: %+v", f.status.Phase, tc.want, f.advancing())
			}
		})
	}
}

// Two share a ConfigMap; the last one that leaves takes it out of the control plane.
func TestTheLastUserTakesTheSharedObjectAlong(t *testing.T) {
	f := newFederation(t)
	for name := range f.members {
		f.put(name, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: other, namespace: shop}, spec: {
			replicas: 1, template: {metadata: {labels: {app: other}},
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
