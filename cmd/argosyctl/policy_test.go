package main

import (
	"bytes"
	"testing"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
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
