package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/internal/fixture"
)

// TestWhatIsKeptOfTemplates: our conditions, and nothing that makes a thousand templates heavy.
func TestWhatIsKeptOfTemplates(t *testing.T) {
	whole := fixture.Parse(t, `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {name: web, namespace: shop, resourceVersion: "7", labels: {a: b}}
spec: {replicas: 3}
status:
  replicas: 3
  conditions:
  - {type: FailedScale, status: "False"}
  - {type: RolloutAsAsked, status: "False", reason: FewerUpdated, message: "asked 3 of 3", lastTransitionTime: "2026-11-28T10:00:00Z"}
`).Unstructured()
	kept, err := trimTemplate(whole)
	if err != nil {
		t.Fatal(err)
	}
	want := fixture.Parse(t, `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {name: web, namespace: shop, resourceVersion: "7"}
status:
  conditions:
  - {type: RolloutAsAsked, status: "False", reason: FewerUpdated, lastTransitionTime: "2026-11-28T10:00:00Z"}
`).Unstructured()
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("(-want +kept)\n%s", diff)
	}
	conditions := ownConditions(kept.(*unstructured.Unstructured))
	if len(conditions) != 1 || conditions[0].Type != "RolloutAsAsked" || conditions[0].LastTransitionTime.UTC().Hour() != 10 {
		t.Errorf("conditions %+v", conditions)
	}
}
