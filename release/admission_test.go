package release

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/release/hold"
)

// staged is Deployment shop/web of an image, with marks.
func staged(t *testing.T, image string, marks map[string]string) *unstructured.Unstructured {
	t.Helper()
	out := fixture.Parse(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {release.argosy.dev/staged: web}}
spec: {replicas: 3, template: {spec: {containers: [{name: main, image: "`+image+`"}]}}}
`).Unstructured()
	annotations := map[string]string{}
	for mark, value := range marks {
		annotations["release.argosy.dev/"+mark] = value
	}
	out.SetAnnotations(annotations)
	return out
}

func revisionOf(t *testing.T, image string) string {
	t.Helper()
	out, err := hold.Revision(staged(t, image, nil))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMarksAreOfTheRelease: whatever marks a template brings, from a backup of last month or from whoever wrote it, it bears those its
// Release says. An image by digest that is applied again is no change; another digest of its tag is.
func TestMarksAreOfTheRelease(t *testing.T) {
	const digest, moved = "web@sha256:2222", "web@sha256:3333"
	r1, r2, r3 := revisionOf(t, "web:1"), revisionOf(t, digest), revisionOf(t, moved)
	stale := map[string]string{"revision": r1, "stable": r1, "open": "*"}
	now := map[string]string{"revision": r2, "stable": r2, "open": "*"}
	everywhere := &v1alpha1.Dispatch{Revision: r2, Stable: r2, Open: []string{"*"}}
	for name, tc := range map[string]struct {
		brings *unstructured.Unstructured
		old    *unstructured.Unstructured
		// of is what the Release says; nil where it has no status, as one that is made anew.
		of *v1alpha1.Dispatch
		// gone: there is no Release.
		gone bool
		want map[string]string
		// wantUnchanged: it bore them already.
		wantUnchanged bool
	}{
		"a backup put over it": {brings: staged(t, "web:1", stale), old: staged(t, digest, now),
			of: everywhere, want: map[string]string{"revision": r1, "stable": r2, "open": ""}},
		"made anew from a backup": {brings: staged(t, "web:1", stale),
			of:   &v1alpha1.Dispatch{Revision: r3, Stable: r2, Open: []string{"member1"}},
			want: map[string]string{"revision": r1, "stable": r2, "open": ""}},
		"made anew from a backup, with its Release": {brings: staged(t, "web:1", stale), want: map[string]string{}},
		"made anew before its Release":              {brings: staged(t, "web:1", stale), gone: true, want: map[string]string{}},
		"written before a Release that is made anew has looked": {brings: staged(t, moved, stale),
			old:  staged(t, digest, map[string]string{"revision": r2, "stable": r1, "open": "member1", "rejected": r2}),
			want: map[string]string{"revision": r3, "stable": r1, "open": "", "rejected": r2}},
		"written while there is no Release": {brings: staged(t, "web:1", nil), gone: true,
			old:  staged(t, digest, map[string]string{"revision": r2, "stable": r1, "open": "member1", "overrides": "Hold"}),
			want: map[string]string{"revision": r1, "stable": r1, "open": "*", "overrides": "Hold"}},
		"a digest again": {brings: staged(t, digest, now), old: staged(t, digest, now),
			of: everywhere, want: now, wantUnchanged: true},
		"another digest of its tag": {brings: staged(t, moved, now), old: staged(t, digest, now),
			of: everywhere, want: map[string]string{"revision": r3, "stable": r2, "open": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
				if err := add(scheme); err != nil {
					t.Fatal(err)
				}
			}
			var objects []client.Object
			if !tc.gone {
				one := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
				one.Spec.TargetRef.APIVersion, one.Spec.TargetRef.Kind, one.Spec.TargetRef.Name = "apps/v1", "Deployment", "web"
				one.Status.Dispatch = tc.of
				objects = append(objects, one)
			}
			reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
			old := tc.old
			if old == nil {
				old = &unstructured.Unstructured{}
			}
			template := tc.brings.DeepCopy()
			changed, err := (&Templates{Reader: reader}).stamp(t.Context(), template, old)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for key, value := range template.GetAnnotations() {
				got[strings.TrimPrefix(key, "release.argosy.dev/")] = value
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("marks (-want +have):\n%s", diff)
			}
			if changed == tc.wantUnchanged {
				t.Errorf("changed: %v", changed)
			}

			// Whoever changes it after ours was asked is refused, in words; what ours made is not.
			check := &Templates{Reader: reader, Check: true}
			if answer := check.Handle(t.Context(), asked(t, template, tc.old)); !answer.Allowed {
				t.Errorf("what ours made is refused: %v", answer.Result)
			}
			later := template.DeepCopy()
			later.Object["spec"] = staged(t, "web:later", nil).Object["spec"]
			answer := check.Handle(t.Context(), asked(t, later, tc.old))
			if held := len(tc.want) > 0; answer.Allowed == held {
				t.Errorf("changed after ours, allowed: %v", answer.Allowed)
			} else if held && !strings.Contains(answer.Result.Message, "another admission changed it") {
				t.Errorf("refused with %q", answer.Result.Message)
			}
		})
	}
}

// TestDeletedItLetsGoWhenItSaysSo: a Release that is deleted and has no dispatch may be one that never took up what is held.
func TestDeletedItLetsGoWhenItSaysSo(t *testing.T) {
	r1, r2 := revisionOf(t, "web:1"), revisionOf(t, "web:2")
	held := map[string]string{"revision": r2, "stable": r1, "open": "member1"}
	for reason, want := range map[string]map[string]string{
		v1alpha1.ReasonRecordLost:  {"revision": r2, "stable": r1, "open": ""},
		v1alpha1.ReasonWithMissing: {"revision": r2, "stable": r1, "open": ""},
		"":                         {"revision": r2, "stable": r1, "open": ""},
		v1alpha1.ReasonLetGo:       {},
	} {
		t.Run(reason, func(t *testing.T) {
			now := metav1.Now()
			one := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: "web", DeletionTimestamp: &now, Finalizers: []string{v1alpha1.Finalizer},
			}}
			one.Spec.TargetRef.APIVersion, one.Spec.TargetRef.Kind, one.Spec.TargetRef.Name = "apps/v1", "Deployment", "web"
			if reason != "" {
				one.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAdopted, Status: metav1.ConditionFalse, Reason: reason}}
			}
			scheme := runtime.NewScheme()
			if err := v1alpha1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			// An autoscaler scales it, or whoever else writes it.
			template := staged(t, "web:2", held)
			reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(one).Build()
			if _, err := (&Templates{Reader: reader}).stamp(t.Context(), template, staged(t, "web:2", held)); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for key, value := range template.GetAnnotations() {
				got[strings.TrimPrefix(key, "release.argosy.dev/")] = value
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("marks (-want +have):\n%s", diff)
			}
			if bears := template.GetLabels()[v1alpha1.LabelStaged] != ""; bears != (len(want) > 0) {
				t.Errorf("it bears the label: %v", bears)
			}
		})
	}
}

// TestAReleaseOfAnotherTarget that was made under the name of one that is gone frees nothing: what that held is held, and a third Release
// of the target is told.
func TestAReleaseOfAnotherTarget(t *testing.T) {
	r1, r2 := revisionOf(t, "web:1"), revisionOf(t, "web:2")
	held := map[string]string{"revision": r2, "stable": r1, "open": "member1"}
	other := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	other.Spec.TargetRef.APIVersion, other.Spec.TargetRef.Kind, other.Spec.TargetRef.Name = "apps/v1", "Deployment", "api"
	other.Status.Dispatch = &v1alpha1.Dispatch{Revision: "x", Stable: "x", Open: []string{"*"}}
	third := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "third"}}
	third.Spec.TargetRef.APIVersion, third.Spec.TargetRef.Kind, third.Spec.TargetRef.Name = "apps/v1", "Deployment", "web"
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(other, third).Build()
	template := staged(t, "web:2", held)
	if _, err := (&Templates{Reader: reader}).stamp(t.Context(), template, staged(t, "web:2", held)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		v1alpha1.AnnotationRevision: r2, v1alpha1.AnnotationStable: r1, v1alpha1.AnnotationOpen: "",
	}
	if diff := cmp.Diff(want, template.GetAnnotations()); diff != "" {
		t.Errorf("marks (-want +have):\n%s", diff)
	}
	reason, message, err := (&Controller{Reader: reader}).taken(t.Context(), third, template)
	if err != nil || reason != v1alpha1.ReasonTargetTaken || !strings.Contains(message, "the marks of Release web") {
		t.Errorf("%s: %s, %v", reason, message, err)
	}
}

func asked(t *testing.T, template, old *unstructured.Unstructured) admission.Request {
	t.Helper()
	encode := func(object *unstructured.Unstructured) runtime.RawExtension {
		raw, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		return runtime.RawExtension{Raw: raw}
	}
	out := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create, Object: encode(template)}}
	if old != nil {
		out.Operation, out.OldObject = admissionv1.Update, encode(old)
	}
	return out
}
