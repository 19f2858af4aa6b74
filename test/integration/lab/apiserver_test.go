// Package lab holds the lab's own promises to integration tests.
package lab

import (
	"errors"
	"path/filepath"
	"testing"

	karmadapolicy "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

// TestSeed: the second of two planes of a kind begins with what the first has stored, and yet is another cluster: Karmada tells clusters
// apart by the identity of kube-system.
func TestSeed(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	look := func(namespace, crd client.Object) {
		t.Helper()
		server := lab.StartAPIServer(t, lab.APIServerOptions{CRDs: []lab.CRDs{lab.PrometheusOperatorCRDs()}})
		api, err := client.New(server.Config, client.Options{Scheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(
			api.Get(t.Context(), client.ObjectKey{Name: metav1.NamespaceSystem}, namespace),
			api.Get(t.Context(), client.ObjectKey{Name: "servicemonitors.monitoring.coreos.com"}, crd),
		); err != nil {
			t.Fatal(err)
		}
		if _, err := api.RESTMapper().RESTMapping(schema.GroupKind{Group: "monitoring.coreos.com", Kind: "PrometheusRule"}); err != nil {
			t.Errorf("a kind of the seed is not served: %v", err)
		}
	}
	var systems [2]corev1.Namespace
	var crds [2]apiextensionsv1.CustomResourceDefinition
	for i := range systems {
		look(&systems[i], &crds[i])
	}
	if crds[0].UID != crds[1].UID {
		t.Errorf("the second installed its CRDs anew: %s and %s", crds[0].UID, crds[1].UID)
	}
	if systems[0].UID == systems[1].UID {
		t.Error("both are one cluster to Karmada")
	}
}
