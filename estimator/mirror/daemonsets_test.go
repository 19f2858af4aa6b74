package mirror

import (
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
)

// TestWhichDaemonSetsAreForeseen: those of the newest version that is served; a refusal for good is lived with, and a moment's is not.
func TestWhichDaemonSetsAreForeseen(t *testing.T) {
	const v1beta1, v1alpha1 = "apps.kruise.io/v1beta1/daemonsets", "apps.kruise.io/v1alpha1/daemonsets"
	for name, tc := range map[string]struct {
		served  sets.Set[string]
		refusal error
		want    string
		failed  bool
	}{
		"no OpenKruise": {served: sets.New[string]()},
		"an older one":  {served: sets.New(v1alpha1), want: "v1alpha1"},
		"a newer one":   {served: sets.New(v1alpha1, v1beta1), want: "v1beta1"},
		"not for us to read": {
			served: sets.New(v1beta1), refusal: apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("no")),
		},
		"the member is busy":             {served: sets.New(v1beta1), refusal: apierrors.NewTooManyRequests("busy", 1), failed: true},
		"taken away since the discovery": {served: sets.New(v1beta1), refusal: apierrors.NewNotFound(schema.GroupResource{}, "")},
	} {
		t.Run(name, func(t *testing.T) {
			client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
				advanced[0]: "DaemonSetList", advanced[1]: "DaemonSetList"})
			client.PrependReactor("list", "daemonsets", func(clienttesting.Action) (bool, runtime.Object, error) {
				return tc.refusal != nil, nil, tc.refusal
			})
			of, err := advancedDaemonSets(t.Context(), client, tc.served)
			if (err != nil) != tc.failed || (of == nil) != (tc.want == "") || of != nil && of.Version != tc.want {
				t.Errorf("%v, %v; want %q", of, err, tc.want)
			}
		})
	}
}

// TestADaemonSetThatCannotBeRead foresees nothing, and keeps no other from being foreseen.
func TestADaemonSetThatCannotBeRead(t *testing.T) {
	set := func(template any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"namespace": "ops", "name": "agent", "resourceVersion": "7", "managedFields": []any{map[string]any{}}},
			"spec": map[string]any{
				"template":       template,
				"updateStrategy": map[string]any{"rollingUpdate": map[string]any{"partition": int64(3)}},
			},
		}}
	}
	read, err := daemonSet(set(map[string]any{"spec": map[string]any{"nodeName": "n"}}))
	if one, ok := read.(*appsv1.DaemonSet); err != nil || !ok || one.Spec.Template.Spec.NodeName != "n" || one.ManagedFields != nil {
		t.Errorf("read %#v, %v", read, err)
	}
	unread, err := daemonSet(set("none"))
	if one, ok := unread.(*metav1.PartialObjectMetadata); err != nil || !ok || one.Name != "agent" || one.ResourceVersion != "7" {
		t.Errorf("kept %#v, %v", unread, err)
	}
}
