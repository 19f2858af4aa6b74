package vm

import (
	"testing"

	"github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestOverlappingSets: the younger of two sets that select one another's servers makes none, and says which is in the way; with labels of
// its own it does.
func TestOverlappingSets(t *testing.T) {
	w := newWorld(t)
	w.lead()
	older, younger := w.set("a", 1), w.set("b", 1)
	younger.Spec.Template.Metadata.Labels = map[string]v1alpha1.LabelValue{"app": "a", "own": "b"}
	younger.Spec.Selector.MatchLabels = map[string]v1alpha1.LabelValue{"own": "b"}
	w.create(older, younger)
	w.Eventually(func() string { return w.says("b", v1alpha1.ConditionReplicaFailure) }).Should(gomega.HavePrefix(
		"True SelectorOverlap: its selector or its template's labels overlap with those of VMReplicaSet a, which is older"))
	w.Eventually(w.machines).Should(gomega.ConsistOf("a-1"))
	change(w, younger, func(s *v1alpha1.VMReplicaSet) { s.Spec.Template.Metadata.Labels = s.Spec.Selector.MatchLabels })
	w.Eventually(w.machines).Should(gomega.ConsistOf("a-1", "b-1"))
}
