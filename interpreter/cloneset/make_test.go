package cloneset

import (
	"testing"

	"github.com/argosy-dev/argosy/internal/fixture"
)

// makeCloneSet is what the cases change in the one place they are about.
func makeCloneSet(t *testing.T) fixture.Object {
	return fixture.Parse(t, `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata: {name: web, namespace: shop, generation: 3}
spec: {replicas: 10}
`)
}
