package main

import (
	"bytes"
	"strings"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/migration/policy"
)

func TestPolicyNamesClustersThatAreNotJoined(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := clusterv1alpha1.Install(scheme); err != nil {
		t.Fatal(err)
	}
	control := fake.NewClientBuilder().WithScheme(scheme).
		WithObjects(&clusterv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "member1"}}).Build()
	var out bytes.Buffer
	joined(t.Context(), control, []string{"member1", "mamber2"}, &out)
	if want := "cluster mamber2 is not joined to the federation\n"; out.String() != want {
		t.Errorf("complains %q, want %q", out.String(), want)
	}
}

// A PropagationPolicy carries no object that is everybody's: one in the folder is refused by name.
func TestPolicyRefusesWhatIsEverybodys(t *testing.T) {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(rbacv1.SchemeGroupVersion.WithKind("ClusterRole"), meta.RESTScopeRoot)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("ConfigMap"), meta.RESTScopeNamespace)
	control := fake.NewClientBuilder().WithRESTMapper(mapper).Build()
	of := func(apiVersion, kind string) policy.Resource {
		object := &unstructured.Unstructured{}
		object.SetAPIVersion(apiVersion)
		object.SetKind(kind)
		object.SetName("web")
		return policy.Resource{ResourceReference: policy.RefOf(object), Clusters: []string{"a"},
			Desired: map[string]*unstructured.Unstructured{"a": object}}
	}
	if err := namespaced(control, []policy.Resource{of("v1", "ConfigMap")}); err != nil {
		t.Errorf("a ConfigMap: %v", err)
	}
	err := namespaced(control, []policy.Resource{of("v1", "ConfigMap"), of("rbac.authorization.k8s.io/v1", "ClusterRole")})
	if err == nil || !strings.Contains(err.Error(), "clusterrole/web is no object of a namespace") {
		t.Errorf("a ClusterRole: %v", err)
	}
}
