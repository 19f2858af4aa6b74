package adopt

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/internal/fixture"
)

const fieldsOfLegacy = `{"f:metadata":{"f:labels":{"f:team":{}}},"f:spec":{"f:replicas":{},"f:minReadySeconds":{},
  "f:template":{"f:spec":{"f:containers":{
	"k:{\"name\":\"app\"}":{".":{},"f:name":{},"f:image":{},"f:imagePullPolicy":{}}}}}}}`

const fieldsOfOurs = `{"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:containers":{` +
	`"k:{\"name\":\"app\"}":{".":{},"f:name":{},"f:image":{}}}}}}}`

// legacy is an object that a manager of the past owns whole, defaults too.
func legacy(t *testing.T, manager string, operation metav1.ManagedFieldsOperationType) *unstructured.Unstructured {
	o := fixture.Parse(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: legacy, labels: {team: shop}}
spec: {replicas: 2, minReadySeconds: 7,
  template: {spec: {containers: [{name: app, image: "app:1", imagePullPolicy: IfNotPresent}]}}}`).Unstructured()
	o.SetManagedFields([]metav1.ManagedFieldsEntry{
		{Manager: manager, Operation: operation, FieldsV1: &metav1.FieldsV1{Raw: []byte(strings.Join(strings.Fields(fieldsOfLegacy), ""))}},
		{
			Manager: "kube-controller-manager", Operation: "Update", Subresource: "status",
			FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:status":{}}`)},
		},
	})
	return o
}

// applied is the answer to a dry run of ours.
func applied(live *unstructured.Unstructured, edit func(map[string]any)) *unstructured.Unstructured {
	out := live.DeepCopy()
	out.SetManagedFields(append(live.GetManagedFields(), metav1.ManagedFieldsEntry{
		Manager: "argosy-component", Operation: metav1.ManagedFieldsOperationApply, FieldsV1: &metav1.FieldsV1{Raw: []byte(fieldsOfOurs)},
	}))
	if edit != nil {
		edit(out.Object)
	}
	return out
}

func TestCheck(t *testing.T) {
	set := func(value any, path ...string) func(map[string]any) {
		return func(object map[string]any) {
			if err := unstructured.SetNestedField(object, value, path...); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		edit func(map[string]any)
		want string
	}{
		"nothing changes":      {nil, ""},
		"fewer copies":         {set(int64(1), "spec", "replicas"), "spec.replicas is 2 and would be 1"},
		"a label is no change": {set("shop2", "metadata", "labels", "team"), ""},
		"another image": {
			set([]any{map[string]any{"name": "app", "image": "app:2", "imagePullPolicy": "IfNotPresent"}}, "spec", "template", "spec", "containers"),
			"spec.template.spec.containers[0].image is app:1 and would be app:2",
		},
		"a second container": {
			set([]any{
				map[string]any{"name": "app", "image": "app:1", "imagePullPolicy": "IfNotPresent"}, map[string]any{"name": "main"},
			}, "spec", "template", "spec", "containers"),
			"spec.template.spec.containers[1] is absent and would be main",
		},
	} {
		t.Run(name, func(t *testing.T) {
			live := legacy(t, "kubectl-client-side-apply", "Update")
			before := live.DeepCopy()
			trial, err := Check(live, applied(live, tc.edit))
			if err != nil {
				t.Fatal(err)
			}
			if trial.Differences != tc.want || trial.Restart != (tc.want != "") {
				t.Errorf("restart %v, %q, want %q", trial.Restart, trial.Differences, tc.want)
			}
			if diff := cmp.Diff(before.Object, live.Object); diff != "" {
				t.Errorf("the live object was changed:\n%s", diff)
			}
		})
	}
}

// TestFieldsOfFormerOwners: what we write is ours, what we do not stays its owner's, and only what is no default is told.
func TestFieldsOfFormerOwners(t *testing.T) {
	live := legacy(t, "helm", "Update")
	trial, err := Check(live, applied(live, nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(trial.ManagedFields) != 2 || trial.ManagedFields[0].Manager != "helm" || trial.ManagedFields[1].Subresource != "status" {
		t.Fatalf("entries: %v", trial.ManagedFields)
	}
	left := string(trial.ManagedFields[0].FieldsV1.Raw)
	lost := map[string]bool{"f:minReadySeconds": true, "f:imagePullPolicy": true, "f:team": true, "f:replicas": false, "f:image\"": false}
	for field, want := range lost {
		if have := strings.Contains(left, field); have != want {
			t.Errorf("helm keeps %s: %v, want %v (%s)", field, have, want, left)
		}
	}
	// The API server fills in the default of one of the two fields that are not ours.
	refilled := trial.Without.DeepCopy()
	containers, _, _ := unstructured.NestedSlice(refilled.Object, "spec", "template", "spec", "containers")
	if _, has := containers[0].(map[string]any)["imagePullPolicy"]; has {
		t.Fatalf("a field of helm's alone is asked about with its value: %v", containers)
	}
	containers[0].(map[string]any)["imagePullPolicy"] = "IfNotPresent"
	if err := unstructured.SetNestedSlice(refilled.Object, containers, "spec", "template", "spec", "containers"); err != nil {
		t.Fatal(err)
	}
	if verdict := trial.Settle(live, refilled); verdict.Foreign != "helm: spec.minReadySeconds" {
		t.Errorf("told: %q", verdict.Foreign)
	}
}

// TestWhoGoesOnApplying keeps its entry: it will be back.
func TestWhoGoesOnApplying(t *testing.T) {
	live := legacy(t, "argocd-controller", "Apply")
	trial, err := Check(live, applied(live, nil))
	if err != nil {
		t.Fatal(err)
	}
	if trial.Foreign != "argocd-controller goes on applying it" || trial.ManagedFields != nil || trial.Without != nil {
		t.Errorf("%+v", trial.Verdict)
	}
}

// FuzzCheck: whatever stands in managedFields, the live object is not changed, and an error says something.
func FuzzCheck(f *testing.F) {
	f.Add(fieldsOfLegacy, `{"replicas":2,"template":{"spec":{"containers":[{"name":"app"}]}}}`)
	f.Add(`{"f:spec":{".":{},"v:1":{},"i:0":{},"k:{\"a\":1,\"b\":\"c\"}":{"f:x":{}}}}`, `[1,{"a":1,"b":"c"}]`)
	f.Add(`{"f:spec":{"k:{\"name\":null}":{"f:image":{}}}}`, `{"spec":null}`)
	f.Fuzz(func(t *testing.T, fields, spec string) {
		object := &unstructured.Unstructured{}
		deployment := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":` + spec + `}`
		if err := object.UnmarshalJSON([]byte(deployment)); err != nil {
			return
		}
		object.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "m", Operation: "Update", FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)}}})
		before := runtime.DeepCopyJSON(object.Object)
		trial, err := Check(object, object.DeepCopy())
		switch {
		case err != nil && err.Error() == "":
			t.Error("an error that says nothing")
		case err == nil && trial.Restart:
			t.Errorf("an object differs from itself: %s", trial.Differences)
		}
		if diff := cmp.Diff(before, object.Object); diff != "" {
			t.Errorf("the live object was changed:\n%s", diff)
		}
	})
}
