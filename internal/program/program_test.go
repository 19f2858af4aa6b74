package program

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCacheKeepsNoManagedFields(t *testing.T) {
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "web", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}}}
	kept, err := Cache().DefaultTransform(object)
	if err != nil {
		t.Fatal(err)
	}
	if got := kept.(*corev1.ConfigMap); got.Name != "web" || got.ManagedFields != nil {
		t.Errorf("kept %+v", got.ObjectMeta)
	}
}
