package decide

import (
	"fmt"
	"strings"
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

// walk is a Component in steps and its cluster, whose copies come up as soon as they are asked for.
type walk struct {
	*testing.T
	*Input
	copies map[string]map[string]any
}

func newWalk(t *testing.T, kind v1alpha1.WorkloadType) *walk {
	c := demo()
	c.Spec.WorkloadType, c.Spec.Replicas = kind, ptr.To[int32](4)
	c.Spec.Strategy = v1alpha1.Strategy{Type: v1alpha1.StrategyCanary, Canary: &v1alpha1.CanaryStrategy{Steps: []v1alpha1.CanaryStep{
		{Replicas: intstr.FromInt32(1), Pause: v1alpha1.CanaryPauseApproval},
	}}}
	return &walk{T: t, Input: &Input{Component: c, Live: map[Key]*unstructured.Unstructured{}}, copies: map[string]map[string]any{}}
}

// look is one reconcile: what is written comes up at once.
func (w *walk) look() {
	w.Helper()
	in := w.Input
	var err error
	if in.Objects, in.Report, err = render.Render(in.Component, nil, nil); err != nil {
		w.Fatal(err)
	}
	in.Before = nil
	if s := in.Component.Status.Canary; in.Live[in.Workload()] == nil && UnderWay(s) {
		in.Before = w.copies[s.Before]
	}
	if in.Canary, err = CanaryOf(in, time.Unix(1_000_000, 0)); err != nil {
		w.Fatal(err)
	}
	if b := in.Canary.Before; b != nil {
		w.copies[b.Name] = runtime.DeepCopyJSON(b.Template)
	}
	steps := Decide(in)
	for _, a := range steps.Apply {
		after := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(a.Object.Content)}
		after.SetAnnotations(map[string]string{v1alpha1.AnnotationRenderedHash: a.Object.Hash})
		after.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(in.Component, v1alpha1.GroupVersion.WithKind("Component"))})
		in.Live[KeyOf(a.Object)] = after
	}
	for _, s := range steps.Scale {
		if err := unstructured.SetNestedField(s.Live.Object, int64(s.Replicas), "spec", "replicas"); err != nil {
			w.Fatal(err)
		}
	}
	for _, d := range steps.Delete {
		delete(in.Live, Key{d.GetKind(), d.GetName()})
	}
	in.Component.Status = Status(in, &Outcome{Steps: steps, Live: in.Live, Now: time.Unix(1_000_000, 0)})
	for _, live := range in.Live {
		n, _, _ := unstructured.NestedInt64(live.Object, "spec", "replicas")
		kept, _, _ := unstructured.NestedInt64(live.Object, "spec", "updateStrategy", "rollingUpdate", "partition")
		current := "b"
		if kept > 0 {
			current = "a"
		}
		live.Object["status"] = map[string]any{
			"observedGeneration": int64(1), "replicas": n, "readyReplicas": n, "availableReplicas": n, "updatedReplicas": n - kept,
			"currentRevision": current, "updateRevision": "b",
		}
	}
}

// runs says of each workload how many copies are of which image; kept ones are of before.
func (w *walk) runs() string {
	var out []string
	for _, key := range sortedKeys(w.Live) {
		if key.Kind == "Service" {
			continue
		}
		live := w.Live[key]
		n, _, _ := unstructured.NestedInt64(live.Object, "spec", "replicas")
		kept, _, _ := unstructured.NestedInt64(live.Object, "spec", "updateStrategy", "rollingUpdate", "partition")
		containers, _, _ := unstructured.NestedSlice(live.Object, "spec", "template", "spec", "containers")
		out = append(out, fmt.Sprintf("%s %s x%d kept %d", key.Name, containers[0].(map[string]any)["image"], n, kept))
	}
	return strings.Join(out, ", ")
}

func (w *walk) want(what, want string) {
	w.Helper()
	for range 3 {
		w.look()
	}
	if have := w.runs(); have != want {
		w.Fatalf("%s: %s, want %s", what, have, want)
	}
}

// TestDeletedInTheMiddleOfSteps: whoever deletes the workload while a change waits for a person does not let the change through: the pods
// of before are made again, and a rejection or its absence still holds.
func TestDeletedInTheMiddleOfSteps(t *testing.T) {
	for kind, tc := range map[v1alpha1.WorkloadType]struct{ first, waits, undone string }{
		v1alpha1.WorkloadDeployment: {
			"demo demo:1 x4 kept 0", "demo demo:1 x3 kept 0, demo-canary demo:2 x1 kept 0", "demo demo:1 x4 kept 0",
		},
		v1alpha1.WorkloadStatefulSet: {"demo demo:1 x4 kept 0", "demo demo:2 x4 kept 3", "demo demo:1 x4 kept 0"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWalk(t, kind)
			w.want("made", tc.first)
			w.Component.Spec.Image = "demo:2"
			w.want("a change", tc.waits)
			if c := w.Component.Status.Canary; c == nil || c.State != v1alpha1.CanaryPaused || len(w.Component.Status.PendingApprovals) != 1 {
				t.Fatalf("it waits for nobody: %+v", c)
			}
			asked := w.Component.Status.PendingApprovals[0].OperationID

			delete(w.Live, w.Workload())
			w.look()
			if have := w.runs(); !strings.Contains(have, "demo demo:1 x") {
				t.Fatalf("made again as %s", have)
			}
			w.want("deleted, and made again", tc.waits)
			if waits := w.Component.Status.PendingApprovals; len(waits) != 1 || waits[0].OperationID != asked {
				t.Errorf("it waits for %+v, and was asked %s", waits, asked)
			}

			// Another image meanwhile begins its steps beside the pods of before, and not beside none.
			delete(w.Live, w.Workload())
			w.Component.Spec.Image = "demo:3"
			w.want("deleted, and another image", strings.ReplaceAll(tc.waits, "demo:2", "demo:3"))

			// Undone while it is away.
			delete(w.Live, w.Workload())
			w.Component.Spec.Image = "demo:1"
			w.want("deleted, and undone", tc.undone)
			if c := w.Component.Status.Canary; c != nil {
				t.Errorf("a canary of what was undone: %+v", c)
			}
		})
	}
}

// TestSetThatNobodyHasSeen: the change waits until the controller of a StatefulSet that was made again has seen the pods of before. Whoever
// sees the change first makes all pods of it, whatever the partition says.
func TestSetThatNobodyHasSeen(t *testing.T) {
	w := newWalk(t, v1alpha1.WorkloadStatefulSet)
	w.look()
	w.Component.Spec.Image = "demo:2"
	w.want("a change", "demo demo:2 x4 kept 3")
	delete(w.Live, w.Workload())
	w.look()
	for range 3 {
		delete(w.Live[w.Workload()].Object, "status")
		w.Live[w.Workload()].SetGeneration(1)
		w.look()
		if have := w.runs(); have != "demo demo:1 x4 kept 0" {
			t.Fatalf("nobody has seen it, and it is %s", have)
		}
		says(t, w.Component.Status, v1alpha1.ConditionReady, "Unknown NotObserved", "")
		if c := w.Component.Status.Canary; !UnderWay(c) || c.Before == "" {
			t.Fatalf("its canary is %+v", c)
		}
	}
	w.want("seen", "demo demo:2 x4 kept 3")
}

// TestDeletedAndUnknown: where nobody knows the pods of before nothing is made in their place, and it is said.
func TestDeletedAndUnknown(t *testing.T) {
	w := newWalk(t, v1alpha1.WorkloadDeployment)
	w.look()
	w.Component.Spec.Image = "demo:2"
	w.want("a change", "demo demo:1 x3 kept 0, demo-canary demo:2 x1 kept 0")
	delete(w.Live, w.Workload())
	w.copies = map[string]map[string]any{}
	w.want("deleted, and its copy too", "demo-canary demo:2 x1 kept 0")
	says(t, w.Component.Status, v1alpha1.ConditionReady, "False NotApplied", "nobody knows any more what they were. Write the image")
}

// TestDeletedInTheForeground: while the workload is on its way out the steps stand, and are neither over nor forgotten.
func TestDeletedInTheForeground(t *testing.T) {
	w := newWalk(t, v1alpha1.WorkloadDeployment)
	w.look()
	w.Component.Spec.Image = "demo:2"
	const waits = "demo demo:1 x3 kept 0, demo-canary demo:2 x1 kept 0"
	w.want("a change", waits)
	w.Live[w.Workload()].SetDeletionTimestamp(ptr.To(w.Component.Status.Conditions[0].LastTransitionTime))
	w.want("on its way out", waits)
	if c := w.Component.Status.Canary; c == nil || c.State != v1alpha1.CanaryPaused {
		t.Errorf("its canary is %+v", c)
	}
}

// letGo is what opting out leaves of an object.
func letGo(live *unstructured.Unstructured) {
	live.SetOwnerReferences(nil)
	live.SetLabels(map[string]string{v1alpha1.LabelComponent: "demo"})
	live.Object["metadata"].(map[string]any)["managedFields"] = []any{map[string]any{"manager": v1alpha1.FieldManager, "operation": "Apply"}}
}

// TestTakenBackInSteps: what was let go and is taken back with another image comes in steps, too.
func TestTakenBackInSteps(t *testing.T) {
	w := newWalk(t, v1alpha1.WorkloadDeployment)
	w.look()
	letGo(w.Live[w.Workload()])
	w.Component.Spec.Image = "demo:2"
	w.want("taken back", "demo demo:1 x3 kept 0, demo-canary demo:2 x1 kept 0")
	if OwnerOf(w.Live[w.Workload()], w.Component) != Ours {
		t.Error("it was not taken back")
	}

	// Let go in the middle of the steps, and undone before it is taken back.
	for _, live := range w.Live {
		letGo(live)
	}
	w.Component.Spec.Image, w.Component.Status.Canary = "demo:1", nil
	w.want("taken back as it was", "demo demo:1 x4 kept 0")
}
