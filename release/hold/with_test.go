package hold

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

const config = `
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: shop, labels: {release.argosy.dev/staged: web}, annotations: {note: new}}
data: {mode: "2"}
`

// TestRevisionOfAConfigMap: its data says what it is.
func TestRevisionOfAConfigMap(t *testing.T) {
	revision := func(text string) string {
		t.Helper()
		out, err := Revision(parse(t, text))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	const head = "apiVersion: v1\nkind: ConfigMap\n"
	first := revision(config)
	if revision(head+"metadata: {name: web}\ndata: {mode: \"2\"}\n") != first {
		t.Error("labels and annotations of its own are no change")
	}
	for _, other := range []string{
		"data: {mode: \"3\"}", "data: {mode: \"2\"}\nbinaryData: {a: YQ==}", "data: {mode: \"2\"}\nimmutable: true",
	} {
		if revision(head+"metadata: {name: web}\n"+other+"\n") == first {
			t.Errorf("%s is another content", other)
		}
	}
	if revision(head+"metadata: {name: web}\n") != revision(head+"metadata: {name: web}\ndata: {}\nbinaryData: {}\n") {
		t.Error("no data is no data")
	}
	if family, ok := FamilyOf(parse(t, config).GroupVersionKind().GroupKind()); !ok || !family.With {
		t.Errorf("family %+v", family)
	}
}

// TestWhole: a revision of more than a target names all of it, and one of a target alone is that target's.
func TestWhole(t *testing.T) {
	if got := Whole("r1", nil); got != "r1" {
		t.Errorf("alone %s", got)
	}
	names := map[string]bool{}
	for _, rest := range []map[string]string{{"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": "1"}} {
		names[Whole("r1", rest)] = true
	}
	if len(names) != 4 || names["r1"] {
		t.Errorf("names %v", names)
	}
}

// TestStampOfSeveral: an object bears the revision of all while its own content is that one's, and another name that is open nowhere when
// it is not.
func TestStampOfSeveral(t *testing.T) {
	object := parse(t, config)
	content, err := Revision(object)
	if err != nil {
		t.Fatal(err)
	}
	dispatch := &v1alpha1.Dispatch{
		Revision: "whole", Stable: "old", Open: []string{"member1"}, WithOpen: []string{"member1", "member2"},
		Updated:  map[string]int32{"member1": 1},
		Contents: map[string]string{"ConfigMap/web": content, "Deployment/web": "other"}, Overrides: v1alpha1.OverridesHold,
	}
	Stamp(object, "web", dispatch, content)
	marks := object.GetAnnotations()
	if marks[v1alpha1.AnnotationRevision] != "whole" || marks[v1alpha1.AnnotationOpen] != "member1,member2" ||
		marks[v1alpha1.AnnotationUpdated] != "" || marks[v1alpha1.AnnotationOverrides] != "Hold" {
		t.Errorf("marks %v", marks)
	}
	Stamp(object, "web", dispatch, "written by somebody since")
	marks = object.GetAnnotations()
	if marks[v1alpha1.AnnotationRevision] != "written by somebody since" || marks[v1alpha1.AnnotationOpen] != "" {
		t.Errorf("marks %v", marks)
	}
}

// TestHeldOverrides: an open cluster gets the overrides of its revision, whatever Karmada's are today, and all else as it is today.
func TestHeldOverrides(t *testing.T) {
	rendered := staged(t, "r2", "*", "overrides:Hold")
	set := func(object *unstructured.Unstructured, value any, path ...string) *unstructured.Unstructured {
		t.Helper()
		out := object.DeepCopy()
		if err := unstructured.SetNestedField(out.Object, value, path...); err != nil {
			t.Fatal(err)
		}
		return out
	}
	record := Record(rendered)
	today := set(set(rendered, int64(9), "spec", "replicas"), int64(77), "spec", "minReadySeconds") // an override of now
	want := Want{Revision: "r2", From: New}
	have, err := Compose(Work{Cluster: "a", New: today}, want, Recording{Object: record})
	if err != nil {
		t.Fatal(err)
	}
	replicas, _, _ := unstructured.NestedInt64(have.Object, "spec", "replicas")
	_, overridden, _ := unstructured.NestedInt64(have.Object, "spec", "minReadySeconds")
	if replicas != 9 || overridden || have.GetAnnotations()[v1alpha1.AnnotationOverrides] != "r2" {
		t.Errorf("have %v", have.Object)
	}
	// Those of the revision pass as Karmada rendered them.
	have, err = Compose(Work{Cluster: "a", New: today}, want, Recording{Object: set(record, int64(77), "spec", "minReadySeconds")})
	if err != nil {
		t.Fatal(err)
	}
	if n, _, _ := unstructured.NestedInt64(have.Object, "spec", "minReadySeconds"); n != 77 {
		t.Errorf("have %v", have.Object)
	}
	// A held cluster keeps what it has, whatever is noted of overrides.
	work := Work{Cluster: "c", New: staged(t, "r3", "a", "overrides:Hold"), Old: staged(t, "r2", "*", "overrides:r2"), OverridesChanged: true}
	chosen, err := Choose(work)
	if err != nil || chosen.From != Old || chosen.Revision != "r2" {
		t.Errorf("chosen %+v, %v", chosen, err)
	}
}
