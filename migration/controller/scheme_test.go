package controller

import (
	"testing"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

func scheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	out := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(out); err != nil {
		t.Fatal(err)
	}
	return out
}

func workScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	out := scheme(t)
	for _, add := range []func(*runtime.Scheme) error{workv1alpha1.Install, workv1alpha2.Install} {
		if err := add(out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
