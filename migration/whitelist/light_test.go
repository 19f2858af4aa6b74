package whitelist

import (
	"encoding/json"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// A cached Migration is small, however large its plan and evidence are, and tells the same turn.
func TestLight(t *testing.T) {
	whole := migrationOf("web", v1alpha1.PhaseFederated)
	whole.Status.Plan = &v1alpha1.Plan{Hash: "abc", Resources: []v1alpha1.ResourcePlan{{Error: strings.Repeat("x", 100_000)}}}
	pods := &v1alpha1.Evidence{Pods: make([]v1alpha1.PodEvidence, 300)}
	whole.Status.Clusters = []v1alpha1.ClusterStatus{{Name: "a", State: v1alpha1.ClusterOpen, Before: pods, After: pods}}
	whole.Status.History = make([]v1alpha1.HistoryEntry, 30)
	kept, err := Light(cache.TransformStripManagedFields())(whole)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(kept)
	if err != nil || len(raw) > 1000 {
		t.Errorf("%d bytes are kept (%v)", len(raw), err)
	}
	migration := kept.(*v1alpha1.Migration)
	if migration.Status.Phase != v1alpha1.PhaseFederated || migration.Status.Clusters[0].State != v1alpha1.ClusterOpen ||
		migration.Status.Plan.Hash != "abc" {
		t.Errorf("lost what turns are reckoned from: %+v", migration.Status)
	}
}
