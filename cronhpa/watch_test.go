package cronhpa

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
)

// TestWhatIsKeptOfTargets: whose a workload is, and nothing that makes ten thousand of them heavy.
func TestWhatIsKeptOfTargets(t *testing.T) {
	fixture.KeepsNoManagedFields(t, cache.Options{DefaultTransform: trim})
	kept, err := trim(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "u", ResourceVersion: "7", Labels: map[string]string{"app": "web"},
		Annotations:   map[string]string{migration.AnnotationCutOff: "true", "note": "long"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "u", ResourceVersion: "7",
		Annotations: map[string]string{migration.AnnotationCutOff: "true"},
	}}
	if diff := cmp.Diff(any(want), kept); diff != "" {
		t.Errorf("(-want +kept)\n%s", diff)
	}
}
