package hold

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

func parse(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return out
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {team: a}}
spec: {replicas: 3, paused: true, template: {spec: {containers: [{name: main, image: "web:1"}]}}}
`

func TestRevision(t *testing.T) {
	first, err := Revision(parse(t, deployment))
	if err != nil {
		t.Fatal(err)
	}
	const set = `{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, metadata: {name: web}, spec: {template: {image: a}`
	plain, err := Revision(parse(t, set+"}}"))
	if err != nil {
		t.Fatal(err)
	}
	const component = `{apiVersion: component.luojilab.com/v1alpha1, kind: Component, metadata: {name: web}, ` +
		`spec: {image: "web:1", replicas: 3}}`
	five, err := Revision(parse(t, component))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		text string
		same string
		want bool
	}{
		"more copies of a Component":  {strings.Replace(component, "replicas: 3", "replicas: 9", 1), five, true},
		"an approval of its canary":   {strings.Replace(component, "replicas: 3", "approvals: [{gate: canary}]", 1), five, true},
		"another image of it":         {strings.Replace(component, "web:1", "web:2", 1), five, false},
		"another port, and the image": {strings.Replace(component, "replicas: 3", "port: 81", 1), five, false},
		"another number":              {strings.Replace(deployment, "replicas: 3", "replicas: 9", 1), first, true},
		"not paused":                  {strings.Replace(deployment, "paused: true, ", "", 1), first, true},
		"another label of its own":    {strings.Replace(deployment, "team: a", "team: b", 1), first, true},
		"another image":               {strings.Replace(deployment, "web:1", "web:2", 1), first, false},
		"a partition":                 {set + ", updateStrategy: {partition: 3}}}", plain, true},
		"a pace": {set + ", updateStrategy: {maxUnavailable: 20%, paused: true}, scaleStrategy: {podsToDelete: [a]}}}",
			plain, true},
		"an empty strategy":           {set + ", updateStrategy: {}}}", plain, true},
		"another type of update":      {set + ", updateStrategy: {type: InPlaceOnly}}}", plain, false},
		"the other version of a kind": {strings.Replace(set, "v1alpha1", "v1beta1", 1) + "}}", plain, true},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Revision(parse(t, tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if (have == tc.same) != tc.want {
				t.Errorf("revision %s, the other is %s, want the same: %v", have, tc.same, tc.want)
			}
		})
	}
	if _, err := Revision(parse(t, "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {}}")); err == nil {
		t.Error("a Pod has a revision")
	}
}

func TestStamp(t *testing.T) {
	dispatch := &v1alpha1.Dispatch{
		Revision: "r2", Stable: "r1", Open: []string{"b", "a"}, Updated: map[string]int32{"b": 2}, Rejected: []string{"r0"},
	}
	for name, tc := range map[string]struct {
		dispatch *v1alpha1.Dispatch
		revision string
		want     map[string]string
	}{
		"the one that is open": {dispatch, "r2", map[string]string{
			v1alpha1.AnnotationRevision: "r2", v1alpha1.AnnotationStable: "r1", v1alpha1.AnnotationOpen: "a,b", v1alpha1.AnnotationUpdated: "b=2",
			v1alpha1.AnnotationRejected: "r0",
		}},
		"a third is open nowhere": {dispatch, "r3", map[string]string{
			v1alpha1.AnnotationRevision: "r3", v1alpha1.AnnotationStable: "r1", v1alpha1.AnnotationOpen: "", v1alpha1.AnnotationRejected: "r0",
		}},
		"the stable one is open everywhere": {dispatch, "r1", map[string]string{
			v1alpha1.AnnotationRevision: "r1", v1alpha1.AnnotationStable: "r1", v1alpha1.AnnotationOpen: "*", v1alpha1.AnnotationRejected: "r0",
		}},
		"nothing is held": {nil, "r1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			// Marks of a thief, or of a backup.
			template := parse(t, deployment)
			template.SetAnnotations(map[string]string{v1alpha1.AnnotationOpen: "*", v1alpha1.AnnotationUpdated: "x=1", "own": "kept"})
			if !Stamp(template, "web", tc.dispatch, tc.revision) {
				t.Error("nothing changed")
			}
			want := map[string]string{"own": "kept"}
			for key, value := range tc.want {
				want[key] = value
			}
			if diff := cmp.Diff(want, template.GetAnnotations()); diff != "" {
				t.Errorf("annotations (-want +have):\n%s", diff)
			}
			if got := template.GetLabels()[v1alpha1.LabelStaged]; (got == "web") != (tc.dispatch != nil) {
				t.Errorf("label %q", got)
			}
			if Stamp(template, "web", tc.dispatch, tc.revision) {
				t.Error("it changes again what it wrote")
			}
		})
	}
}

func staged(t testing.TB, revision, open, extra string) *unstructured.Unstructured {
	out := parse(t, deployment)
	out.SetAnnotations(map[string]string{
		v1alpha1.AnnotationRevision: revision, v1alpha1.AnnotationStable: "r1", v1alpha1.AnnotationOpen: open,
	})
	if extra != "" {
		annotations := out.GetAnnotations()
		for part := range strings.SplitSeq(extra, ";") {
			key, value, _ := strings.Cut(part, ":")
			annotations["release.argosy.dev/"+key] = value
		}
		out.SetAnnotations(annotations)
	}
	return out
}

func TestChoose(t *testing.T) {
	two := int64(2)
	for name, tc := range map[string]struct {
		work Work
		want Want
	}{
		"open": {Work{Cluster: "a", New: staged(t, "r2", "a,b", "")}, Want{Revision: "r2", From: New}},
		"held, as it is": {
			Work{Cluster: "c", New: staged(t, "r2", "a,b", ""), Old: staged(t, "r1", "*", "")}, Want{Revision: "r1", From: Old},
		},
		"held, made anew": {Work{Cluster: "c", New: staged(t, "r2", "a,b", "")}, Want{Revision: "r1", From: Recorded}},
		"held, other overrides": {
			Work{Cluster: "c", New: staged(t, "r2", "a", ""), Old: staged(t, "r1", "*", ""), OverridesChanged: true},
			Want{Revision: "r1", From: Recorded},
		},
		"held, its Work was of no release": {
			Work{Cluster: "c", New: staged(t, "r2", "a", ""), Old: parse(t, deployment)}, Want{Revision: "r1", From: Recorded},
		},
		"a revision in between stays": {
			Work{Cluster: "c", New: staged(t, "r3", "", ""), Old: staged(t, "r2", "c", "share:2")}, Want{Revision: "r2", From: Old,
				Share: &two},
		},
		"a rejected one does not": {
			Work{Cluster: "c", New: staged(t, "r2", "", "rejected:r0,r2"), Old: staged(t, "r2", "c", "")}, Want{Revision: "r1",
				From: Recorded},
		},
		"by number": {
			Work{Cluster: "a", New: staged(t, "r2", "a", "updated:a=2"), Old: staged(t, "r1", "*", ""), Ran: true},
			Want{Revision: "r2", From: New, Share: &two},
		},
		"by number, and the member has not seen the stable one": {
			Work{Cluster: "a", New: staged(t, "r2", "a", "updated:a=2"), Old: staged(t, "r1", "*", "")}, Want{Revision: "r1", From: Old},
		},
		"rejected, and it has one in between": {
			Work{Cluster: "a", New: staged(t, "r3", "", "rejected:r3"), Old: staged(t, "r2", "a", "")}, Want{Revision: "r1", From: Recorded},
		},
		"rejected, and it has a part of one in between": {
			Work{Cluster: "a", New: staged(t, "r3", "", "rejected:r3"), Old: staged(t, "r2", "a", "share:2"), Ran: true},
			Want{Revision: "r1", From: Recorded},
		},
		"rejected, and it has the stable one": {
			Work{Cluster: "a", New: staged(t, "r3", "", "rejected:r3"), Old: staged(t, "r1", "*", "")}, Want{Revision: "r1", From: Old},
		},
		"by number, made anew": {Work{Cluster: "a", New: staged(t, "r2", "a", "updated:a=2")}, Want{Revision: "r1", From: Recorded}},
		"suspended": {
			Work{Cluster: "a", New: staged(t, "r2", "a", ""), Old: staged(t, "r1", "*", ""), Suspended: true}, Want{Revision: "r1",
				From: Old},
		},
		"everything is open":        {Work{Cluster: "z", New: staged(t, "r2", "*", "")}, Want{Revision: "r2", From: New}},
		"the stable one, made anew": {Work{Cluster: "z", New: staged(t, "r1", "", "")}, Want{Revision: "r1", From: New}},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Choose(tc.work)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("(-want +have):\n%s", diff)
			}
		})
	}
	for name, work := range map[string]Work{
		"no revision":         {Cluster: "a", New: staged(t, "", "a", "")},
		"no number":           {Cluster: "a", New: staged(t, "r2", "a", "updated:a=two"), Old: staged(t, "r1", "*", "")},
		"less than no number": {Cluster: "a", New: staged(t, "r2", "a", "updated:a=-2"), Old: staged(t, "r1", "*", "")},
	} {
		if _, err := Choose(work); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

const oldSet = `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata:
  name: web
  labels: {team: a, release.argosy.dev/staged: web}
  annotations: {note: old, resourcetemplate.karmada.io/generation: "4", release.argosy.dev/revision: r1, release.argosy.dev/stable: r1,
    release.argosy.dev/open: "*"}
spec: {replicas: 3, minReadySeconds: 5, scaleStrategy: {podsToDelete: [web-a]}, template: {image: "web:1"}}
`

const newSet = `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata:
  name: web
  labels: {team: b, release.argosy.dev/staged: web}
  annotations:
    note: new
    resourcetemplate.karmada.io/generation: "5"
    release.argosy.dev/revision: r2
    release.argosy.dev/stable: r1
    release.argosy.dev/open: other
    interpreter.argosy.dev/divided: maxUnavailable=1
spec: {replicas: 7, updateStrategy: {maxUnavailable: 1}, template: {image: "web:2"}}
`

// TestComposeHeld: the whole object of the revision, live fields of today, marks as they were.
func TestComposeHeld(t *testing.T) {
	work := Work{Cluster: "a", New: parse(t, newSet), Old: parse(t, oldSet)}
	have, err := Compose(work, Want{Revision: "r1", From: Old}, Recording{})
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, `
apiVersion: apps.kruise.io/v1alpha1
kind: CloneSet
metadata:
  name: web
  labels: {team: a, release.argosy.dev/staged: web}
  annotations:
    note: old
    resourcetemplate.karmada.io/generation: "4"
    release.argosy.dev/revision: r1
    release.argosy.dev/stable: r1
    release.argosy.dev/open: "*"
    interpreter.argosy.dev/divided: maxUnavailable=1
spec: {replicas: 7, minReadySeconds: 5, updateStrategy: {maxUnavailable: 1}, template: {image: "web:1"}}
`)
	if diff := cmp.Diff(want.Object, have.Object); diff != "" {
		t.Errorf("(-want +have):\n%s", diff)
	}
	// Karmada renders the template again, and nothing changes.
	again, err := Compose(Work{Cluster: "a", New: parse(t, newSet), Old: have}, Want{Revision: "r1", From: Old}, Recording{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(have.Object, again.Object); diff != "" {
		t.Errorf("asked again (-first +second):\n%s", diff)
	}
}

func TestComposeByNumber(t *testing.T) {
	share := int64(2)
	have, err := Compose(Work{Cluster: "a", New: parse(t, newSet), Old: parse(t, oldSet)}, Want{Revision: "r2", From: New, Share: &share},
		Recording{})
	if err != nil {
		t.Fatal(err)
	}
	partition, _, _ := unstructured.NestedInt64(have.Object, "spec", "updateStrategy", "partition")
	if partition != 5 || have.GetAnnotations()[v1alpha1.AnnotationShare] != "2" || have.GetAnnotations()["note"] != "new" {
		t.Errorf("have %v", have.Object)
	}
	// Opened as a whole, the partition goes.
	whole, err := Compose(Work{Cluster: "a", New: parse(t, newSet), Old: have}, Want{Revision: "r2", From: New}, Recording{})
	if err != nil {
		t.Fatal(err)
	}
	if _, found, _ := unstructured.NestedInt64(whole.Object, "spec", "updateStrategy", "partition"); found ||
		whole.GetAnnotations()[v1alpha1.AnnotationShare] != "" {
		t.Errorf("have %v", whole.Object)
	}
}

// TestComposeRecorded: what goes back is the record, and says of which generation of the template it is.
func TestComposeRecorded(t *testing.T) {
	record := Record(parse(t, oldSet))
	have, err := Compose(Work{Cluster: "a", New: parse(t, newSet), Old: parse(t, newSet)}, Want{Revision: "r1", From: Recorded},
		Recording{Object: record, Generation: "4"})
	if err != nil {
		t.Fatal(err)
	}
	image, _, _ := unstructured.NestedString(have.Object, "spec", "template", "image")
	marks := have.GetAnnotations()
	if image != "web:1" || marks[v1alpha1.AnnotationRevision] != "r1" || marks["resourcetemplate.karmada.io/generation"] != "4" ||
		have.GetLabels()["team"] != "a" {
		t.Errorf("have %v", have.Object)
	}
	other := parse(t, strings.Replace(newSet, "v1alpha1", "v1beta1", 1))
	if _, err := Compose(Work{Cluster: "a", New: other}, Want{Revision: "r1", From: Recorded}, Recording{Object: record}); err == nil ||
		!strings.Contains(err.Error(), "was recorded as apps.kruise.io/v1alpha1") {
		t.Errorf("another apiVersion: %v", err)
	}
}

// FuzzCompose: whatever the manifests, no panic, no change of the inputs, and asked again about its own result it changes nothing.
func FuzzCompose(f *testing.F) {
	for _, text := range []string{oldSet, newSet} {
		raw, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, raw, int64(1))
	}
	f.Fuzz(func(t *testing.T, newRaw, oldRaw []byte, share int64) {
		now, was := &unstructured.Unstructured{}, &unstructured.Unstructured{}
		if now.UnmarshalJSON(newRaw) != nil || was.UnmarshalJSON(oldRaw) != nil {
			return
		}
		work := Work{Cluster: "a", New: now, Old: was}
		want, err := Choose(work)
		if err != nil {
			return
		}
		if want.From == New && share >= 0 {
			want.Share = &share
		}
		before := [2]*unstructured.Unstructured{now.DeepCopy(), was.DeepCopy()}
		recording := Recording{Object: Record(was), Generation: "1"}
		have, err := Compose(work, want, recording)
		if diff := cmp.Diff(before, [2]*unstructured.Unstructured{now, was}); diff != "" {
			t.Fatalf("it changed what it was given:\n%s", diff)
		}
		if err != nil {
			return
		}
		again, err := Compose(Work{Cluster: "a", New: now, Old: have}, want, recording)
		if err != nil {
			t.Fatal(err)
		}
		first, _ := json.Marshal(have)
		second, _ := json.Marshal(again)
		if want.From != Recorded && string(first) != string(second) {
			t.Fatalf("asked again:\n%s\n%s", first, second)
		}
	})
}
