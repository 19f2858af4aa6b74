// Package lab holds the lab's own promises to integration tests.
package lab

import (
	"path/filepath"
	"testing"

	karmadapolicy "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/process"
)

func TestStartAPIServer(t *testing.T) {
	var dir string
	t.Run("a Karmada plane stores Karmada's and OpenKruise's kinds", func(t *testing.T) {
		s := lab.StartAPIServer(t, lab.KarmadaPlane())
		dir = filepath.Dir(s.Kubeconfig)
		scheme, err := demo.NewScheme()
		if err != nil {
			t.Fatal(err)
		}
		c, err := client.New(s.Config, client.Options{Scheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		meta := metav1.ObjectMeta{Namespace: "default", Name: "web"}
		for _, object := range []client.Object{
			&corev1.ConfigMap{ObjectMeta: meta},
			&kruisev1alpha1.CloneSet{ObjectMeta: meta, Spec: kruisev1alpha1.CloneSetSpec{Selector: &metav1.LabelSelector{}}},
			&karmadapolicy.PropagationPolicy{ObjectMeta: meta, Spec: karmadapolicy.PropagationSpec{
				ResourceSelectors: []karmadapolicy.ResourceSelector{{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet"}},
			}},
		} {
			if err := c.Create(t.Context(), object); err != nil {
				t.Errorf("creating a %T: %v", object, err)
			}
		}
		running, err := process.Using(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(running) != 2 {
			t.Errorf("%d processes run, want etcd and kube-apiserver", len(running))
		}
	})
	left, err := process.Using(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("processes %v are left behind after the test", left)
	}
}
