package plan

import (
	"strings"
	"testing"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// A cluster that is tainted NoExecute stays in what is cut off, and what was released there statically stays too: taken out of its
// binding, it would get its stale manifest.
func TestNobodyIsEvictedFromWhatIsClosed(t *testing.T) {
	for _, until := range []v1alpha1.Phase{v1alpha1.PhasePreparing, v1alpha1.PhaseAwaitingApproval, v1alpha1.PhaseOpening,
		v1alpha1.PhaseSoaking, v1alpha1.PhaseCutOff} {
		t.Run(string(until), func(t *testing.T) {
			f := newFederation(t)
			switch until {
			case v1alpha1.PhaseCutOff:
				f.settle(v1alpha1.PhaseFederated)
				f.entry = nil
			case v1alpha1.PhaseAwaitingApproval:
				f.need = 2
			}
			f.settle(until)
			if f.status.Management == v1alpha1.ManagementStatic {
				release(f, "web:2", 9)
			}
			f.members["b"].tainted = true
			for range 5 {
				for _, reaction := range reactions {
					reaction.run(f)
					f.invariants()
				}
				f.step(-1)
			}
			if f.control.Bindings[f.app] != nil && f.works["b"][f.app] == nil {
				t.Error("the Work of the tainted cluster is gone")
			}
		})
	}
}

// What is federated is Karmada's to move: its placement tolerates nothing of ours.
func TestFailoverIsGivenBack(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	for name, existing := range f.control.Policies {
		if policy.Held(&existing.Spec.Placement) {
			t.Errorf("policy %s is held", name)
		}
	}
	for ref, binding := range f.control.Bindings {
		if ref == f.app && (held(binding) || strings.Contains(binding.Annotations["policy.karmada.io/applied-placement"], "NoExecute")) {
			t.Errorf("the binding of %s is held: %v", ref.Name, binding.Annotations)
		}
	}
}

// An eviction that had begun when the application was cut off has taken its cluster out of the binding, and its Work goes when the
// eviction's time is up.
func TestAClusterIsPutBackBeforeItsWorkGoes(t *testing.T) {
	f := newFederation(t)
	f.settle(v1alpha1.PhaseFederated)
	binding := f.control.Bindings[f.app].DeepCopy()
	binding.Spec.Clusters = binding.Spec.Clusters[:1] // a, while the Work for b lives on
	f.control.Bindings[f.app] = binding
	f.entry = nil
	for range 6 {
		f.step(-1)
		f.detect()
		f.now = f.now.Add(waiting)
	}
	targets := f.control.Bindings[f.app].Spec.Clusters
	if len(targets) != 2 || targets[1].Name != "b" || targets[1].Replicas != 4 {
		t.Fatalf("clusters of the binding: %+v, want b back with 4 replicas", targets)
	}
	f.settle(v1alpha1.PhaseCutOff)
}
