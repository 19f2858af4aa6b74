package mirror

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func class(name string, age time.Duration, mark string) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-age)),
		Annotations: map[string]string{mark: "true"}}}
}

// TestDefaultClass: of several the newest, of equals the first by name, as the member's API server chooses; a claim that names one keeps
// it.
func TestDefaultClass(t *testing.T) {
	for name, tc := range map[string]struct {
		classes []*storagev1.StorageClass
		asked   *string
		want    *string
	}{
		"none":              {[]*storagev1.StorageClass{class("other", 0, "unmarked")}, nil, nil},
		"one":               {[]*storagev1.StorageClass{class("ssd", 0, defaultClass), class("other", 0, "unmarked")}, nil, ptr.To("ssd")},
		"by the older mark": {[]*storagev1.StorageClass{class("ssd", 0, betaDefaultClass)}, nil, ptr.To("ssd")},
		"the newest": {
			[]*storagev1.StorageClass{class("old", time.Hour, defaultClass), class("new", 0, defaultClass)}, nil, ptr.To("new"),
		},
		"of equals by name":  {[]*storagev1.StorageClass{class("b", 0, defaultClass), class("a", 0, defaultClass)}, nil, ptr.To("a")},
		"the claim's own":    {[]*storagev1.StorageClass{class("ssd", 0, defaultClass)}, ptr.To("hdd"), ptr.To("hdd")},
		"the claim wants no": {[]*storagev1.StorageClass{class("ssd", 0, defaultClass)}, ptr.To(""), ptr.To("")},
	} {
		t.Run(name, func(t *testing.T) {
			factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
			m := &Member{Informers: factory}
			for _, one := range tc.classes {
				if err := factory.Storage().V1().StorageClasses().Informer().GetStore().Add(one); err != nil {
					t.Fatal(err)
				}
			}
			claims := []corev1.PersistentVolumeClaim{{Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: tc.asked}}}
			admitted, err := m.AdmitClaims(claims)
			if err != nil || !ptr.Equal(admitted[0].Spec.StorageClassName, tc.want) {
				t.Errorf("class %q, %v; want %q", ptr.Deref(admitted[0].Spec.StorageClassName, "none"), err, ptr.Deref(tc.want, "none"))
			}
			if !ptr.Equal(claims[0].Spec.StorageClassName, tc.asked) {
				t.Error("the template's own claim was changed")
			}
		})
	}
}

// TestUnschedulable: only what the scheduler has refused, and for as long.
func TestUnschedulable(t *testing.T) {
	refused := func(change func(*corev1.Pod)) *corev1.Pod {
		pod := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Reason: corev1.PodReasonUnschedulable, LastTransitionTime: metav1.NewTime(noon)}}}}
		change(pod)
		return pod
	}
	for name, tc := range map[string]struct {
		pod   *corev1.Pod
		after time.Duration
		want  bool
	}{
		"for a minute": {refused(func(*corev1.Pod) {}), time.Minute, true},
		"for less":     {refused(func(*corev1.Pod) {}), time.Minute - time.Second, false},
		"gated": {
			refused(func(p *corev1.Pod) { p.Status.Conditions[0].Reason = corev1.PodReasonSchedulingGated }), time.Minute, false,
		},
		"it has a node":      {refused(func(p *corev1.Pod) { p.Spec.NodeName = "n" }), time.Minute, false},
		"it is being gone":   {refused(func(p *corev1.Pod) { p.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) }), time.Minute, false},
		"nothing is said":    {&corev1.Pod{}, time.Minute, false},
		"it was once so":     {refused(func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionTrue }), time.Minute, false},
		"of another concern": {refused(func(p *corev1.Pod) { p.Status.Conditions[0].Type = corev1.PodReady }), time.Minute, false},
	} {
		if got := Unschedulable(tc.pod, time.Minute, noon.Add(tc.after)); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
