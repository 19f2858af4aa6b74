package plan

import (
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// giveUp does what 'argosyctl publish --prune' does with the policy of what left the folder.
func (f *federation) giveUp(name string) {
	next := f.control.Policies[name].DeepCopy()
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	next.Annotations[v1alpha1.AnnotationPruned] = "deployment-web"
	next.Spec.PreserveResourcesOnDeletion = ptr.To(false)
	next.ResourceVersion = f.version()
	f.control.Policies[name] = next
}

// What a release gave up goes from the control plane and every member, and nothing else does. The record forgets it and says so.
func TestWhatAReleaseGaveUpGoes(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.giveUp("configmap-web")
	for range 30 {
		f.step(-1)
		for _, reaction := range reactions {
			reaction.run(f)
		}
		for _, gone := range f.deletedInMember {
			if !strings.HasSuffix(gone, "/ConfigMap/web") {
				t.Fatalf("deleted in members: %v", f.deletedInMember)
			}
		}
	}
	if len(f.deletedInMember) != 2 || f.control.Policies["configmap-web"] != nil || f.control.Overrides["configmap-web"] != nil ||
		f.control.Templates[webConfig] != nil {
		t.Errorf("deleted in members: %v; policies %v", f.deletedInMember, sortedKeys(f.control.Policies))
	}
	f.deletedInMember = nil
	for name := range f.members {
		f.expect(name)
	}
	if f.status.Phase != v1alpha1.PhaseFederated || f.status.Blocked != "" || len(f.status.Resources) != 3 {
		t.Errorf("%s, blocked by %q, resources %+v", f.status.Phase, f.status.Blocked, f.status.Resources)
	}
	last := f.status.History[len(f.status.History)-1]
	if last.Reason != v1alpha1.ReasonPruned || last.Message != "configmap/web left the folder of its release and is gone from a, b" {
		t.Errorf("history ends with %s: %s", last.Reason, last.Message)
	}
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
}

// A rollback takes the wish back wherever it meets it: what the members still have, they keep.
func TestARollbackPrunesNothing(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.giveUp("configmap-web")
	f.entry = nil
	f.settle(v1alpha1.PhaseCutOff)
	f.run(5)
	existing := f.control.Policies["configmap-web"]
	if existing.Annotations[v1alpha1.AnnotationPruned] != "" || !ptr.Deref(existing.Spec.PreserveResourcesOnDeletion, false) ||
		f.control.Templates[webConfig] == nil {
		t.Errorf("after the rollback: %v, preserves %v", existing.Annotations, existing.Spec.PreserveResourcesOnDeletion)
	}
}

// The workload is no object that a release gives up, and neither is one of another application.
func TestNobodyPrunesTheWorkload(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	f.giveUp("deployment-web")
	f.giveUp("secret-web")
	f.control.Policies["secret-web"].Annotations[v1alpha1.AnnotationPruned] = "deployment-other"
	f.run(10)
	if len(f.control.Templates) != 4 {
		t.Errorf("%d templates, want 4", len(f.control.Templates))
	}
}
