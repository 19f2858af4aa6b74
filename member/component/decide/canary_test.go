package decide

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// TestStatefulSetThatNobodyLookedAt: whether its pods are those of before cannot be told yet, so that neither its first making nor a
// controller that was killed after its write makes a canary of what is none.
func TestStatefulSetThatNobodyLookedAt(t *testing.T) {
	c := &v1alpha1.Component{}
	c.Name, c.Namespace, c.UID, c.Generation = "demo", "shop", "u", 1
	c.Spec = v1alpha1.ComponentSpec{
		WorkloadType: v1alpha1.WorkloadStatefulSet, DevelopLanguage: "python", RunType: "server", Image: "demo:1", Port: 80,
		Replicas: ptr.To[int32](4),
		Strategy: v1alpha1.Strategy{Type: v1alpha1.StrategyCanary, Canary: &v1alpha1.CanaryStrategy{Steps: []v1alpha1.CanaryStep{
			{Replicas: intstr.FromInt32(1), Pause: v1alpha1.CanaryPauseApproval},
		}}},
	}
	objects, _, err := render.Render(c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := &Input{Component: c, Objects: objects, Live: map[Key]*unstructured.Unstructured{}}
	for i := range objects {
		live := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(objects[i].Content)}
		live.SetAnnotations(map[string]string{v1alpha1.AnnotationRenderedHash: objects[i].Hash})
		live.SetGeneration(1)
		live.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(c, v1alpha1.GroupVersion.WithKind("Component"))})
		in.Live[KeyOf(&objects[i])] = live
	}
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	look := func() v1alpha1.ComponentStatus {
		t.Helper()
		if in.Canary, err = CanaryOf(in, now); err != nil {
			t.Fatal(err)
		}
		steps := Decide(in)
		if len(steps.Apply)+len(steps.Scale)+len(steps.Delete) > 0 {
			t.Fatalf("it is written to: %+v", steps)
		}
		return Status(in, &Outcome{Steps: steps, Live: in.Live, Now: now})
	}
	c.Status = look()
	if c.Status.Canary != nil {
		t.Fatalf("a canary of what was only made: %+v", c.Status.Canary)
	}
	// Its controller has looked: all is of one version, with one copy made so far.
	in.Live[in.Workload()].Object["status"] = map[string]any{
		"observedGeneration": int64(1), "replicas": int64(1), "updatedReplicas": int64(1), "currentRevision": "a", "updateRevision": "a",
	}
	if c.Status = look(); c.Status.Canary != nil {
		t.Fatalf("a canary of what was only made: %+v", c.Status.Canary)
	}
}
