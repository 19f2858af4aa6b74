package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/apps/v1alpha1"
)

func TestScaleInOrder(t *testing.T) {
	options := scaleInOptions{pods: []string{"member1/shop-a", "shop-b"}, reason: "bad disks", timeout: 2 * time.Minute}
	order, err := options.order("shop")
	if err != nil {
		t.Fatal(err)
	}
	want := []v1alpha1.PodReference{{Cluster: "member1", Name: "shop-a"}, {Name: "shop-b"}}
	if diff := cmp.Diff(want, order.Spec.Pods); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
	if order.GenerateName != "shop-" || *order.Spec.TimeoutSeconds != 120 || order.Spec.Reason != "bad disks" {
		t.Errorf("order %+v", order)
	}
	for name, tc := range map[string]struct{ pods, wantErr string }{
		"none":     {"", "--pod"},
		"no name":  {"member1/", "POD or CLUSTER/POD"},
		"too deep": {"a/b/c", "POD or CLUSTER/POD"},
	} {
		t.Run(name, func(t *testing.T) {
			options := scaleInOptions{}
			if tc.pods != "" {
				options.pods = []string{tc.pods}
			}
			if _, err := options.order("shop"); err == nil || !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("error %v, want one with %q", err, tc.wantErr)
			}
		})
	}
}

// TestAnAdoptionThatTakesLong: what it waits for is printed as the controller says it, and at the end of the patience no word is of a
// karmada-apiserver that would not be reached, which answers all the time.
func TestAnAdoptionThatTakesLong(t *testing.T) {
	template := &unstructured.Unstructured{}
	template.SetGroupVersionKind(schema.GroupVersionKind{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "CloneSet"})
	template.SetNamespace("prod")
	template.SetName("shop")
	template.SetUID("u")
	template.SetAnnotations(map[string]string{v1alpha1.ScaleInAdoptAnnotation: v1alpha1.AdoptOnce})
	event := func(name, reason, message string) *corev1.Event {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: name, UID: types.UID(name)}, Reason: reason, Message: message,
			InvolvedObject: corev1.ObjectReference{UID: "u"}, Count: 1,
		}
	}
	before := event("before", v1alpha1.ReasonTargetBusy, "the adoption of yesterday waits")
	control := fake.NewClientBuilder().
		WithIndex(&corev1.Event{}, "involvedObject.uid", func(o client.Object) []string {
			return []string{string(o.(*corev1.Event).InvolvedObject.UID)}
		}).
		WithObjects(template, before, event("now", v1alpha1.ReasonMemberUnreachable, "the adoption waits: member2 is silent")).Build()
	cutOff := fake.NewClientBuilder().WithIndex(&corev1.Event{}, "involvedObject.uid", func(client.Object) []string { return []string{"u"} }).
		WithObjects(template.DeepCopy(), event("cut", v1alpha1.ReasonCutOff, "nothing is adopted until it is in it again")).Build()
	var out strings.Builder
	said := map[types.UID]corev1.Event{before.UID: *before}
	err := adoption{namespace: "prod", name: "shop", timeout: time.Nanosecond}.wait(t.Context(), control, &out, template, said)
	if err == nil || nextStep(err) != "" || !strings.Contains(err.Error(), "CloneSet shop is not adopted after 1ns: what is asked") {
		t.Errorf("error %v, next step %q", err, nextStep(err))
	}
	var told strings.Builder
	_ = adoption{namespace: "prod", name: "shop"}.wait(t.Context(), cutOff, &told, template, map[types.UID]corev1.Event{})
	if want := "CutOff: nothing is adopted until it is in it again\n"; told.String() != want {
		t.Errorf("cut off: printed %q, want %q", told.String(), want)
	}
	if want := "MemberUnreachable: the adoption waits: member2 is silent\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

// TestAnOrderThatNobodyWorksOn: it is said what was last heard, and what to do.
func TestAnOrderThatNobodyWorksOn(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	order := &v1alpha1.PodScaleIn{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop-x"}}
	control := fake.NewClientBuilder().WithScheme(scheme).WithObjects(order).Build()
	options := scaleInOptions{IOStreams: genericiooptions.NewTestIOStreamsDiscard(), timeout: time.Nanosecond - pastItsTime}
	err := options.follow(t.Context(), control, order)
	want := "PodScaleIn shop-x has neither ended nor timed out after 1ns (no status yet): argosyctl check says whether its controller runs"
	if err == nil || err.Error() != want || nextStep(err) != "" {
		t.Errorf("error %v, next step %q", err, nextStep(err))
	}
}
