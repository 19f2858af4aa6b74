package interpreter

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/interpreter/family"
)

// FuzzAnswer asks one of the families one of its questions about an object and a second one (observed by a member, or one's status)
// that may be anything a JSON document can say. Whatever comes: no panic, the input unchanged, an error without a part
// of an answer, and a patch that is a valid one and does what the edits do.
func FuzzAnswer(f *testing.F) {
	asks := everyAsk()
	files, err := filepath.Glob("*/testdata/*.yaml")
	if err != nil || len(files) < 10 {
		f.Fatalf("seeds: %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		document, err := yaml.YAMLToJSON(text)
		if err != nil {
			f.Fatal(err)
		}
		member := strings.Replace(file, "template.yaml", "member.yaml", 1)
		if text, err = os.ReadFile(member); err != nil {
			f.Fatal(err)
		}
		other, err := yaml.YAMLToJSON(text)
		if err != nil {
			f.Fatal(err)
		}
		for i := range asks {
			f.Add(document, other, int32(4), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, object, other []byte, replicas int32, which uint8) {
		first, ok := decode(object)
		if !ok {
			return
		}
		second, _ := decode(other)
		ask := asks[int(which)%len(asks)]
		check(t, ask.family, question(ask.operation, first, second, replicas))
	})
}

// ask is one question of one family.
type ask struct {
	family    *family.Family
	operation configv1alpha1.InterpreterOperation
}

func everyAsk() []ask {
	var out []ask
	for _, f := range Families() {
		for _, operation := range f.Operations() {
			out = append(out, ask{f, operation})
		}
	}
	return out
}

func decode(text []byte) (map[string]any, bool) {
	var out map[string]any
	if err := kjson.Unmarshal(text, &out); err != nil || out == nil {
		return map[string]any{}, false
	}
	return out, true
}

func question(operation configv1alpha1.InterpreterOperation, object, other map[string]any, replicas int32) Question {
	status, _ := other["status"].(map[string]any)
	return Question{
		Operation: operation,
		Object:    &unstructured.Unstructured{Object: object},
		Observed:  &unstructured.Unstructured{Object: other},
		Target: family.Target{Replicas: replicas, Clusters: []workv1alpha2.TargetCluster{
			{Name: "member1", Replicas: replicas}, {Name: "member2", Replicas: replicas / 2}, {Name: "member3"},
		}},
		Members: []family.Member{{Cluster: "member1", Status: status}, {Cluster: "member2", Status: other}, {Cluster: "member3"}},
	}
}

func check(t *testing.T, fam *family.Family, q Question) {
	t.Helper()
	before, otherBefore := runtime.DeepCopyJSON(q.Object.Object), runtime.DeepCopyJSON(q.Observed.Object)
	answer, err := q.Answer(fam)
	if !reflect.DeepEqual(before, q.Object.Object) || !reflect.DeepEqual(otherBefore, q.Observed.Object) {
		t.Fatalf("%s %s changed its input", fam.Name, q.Operation)
	}
	if err != nil {
		if err.Error() == "" || !reflect.DeepEqual(answer, Answer{}) {
			t.Fatalf("%s %s: error %q with a part of an answer", fam.Name, q.Operation, err)
		}
		return
	}
	patch, err := answer.Edits.Patch(q.Object.Object)
	if err != nil || patch == nil {
		return
	}
	document, err := json.Marshal(q.Object.Object)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		t.Fatalf("%s %s: not a patch: %v\n%s", fam.Name, q.Operation, err, patch)
	}
	patched, err := parsed.Apply(document)
	if err != nil {
		t.Fatalf("%s %s: a patch that does not apply: %v\n%s\n%s", fam.Name, q.Operation, err, patch, document)
	}
	if err := answer.Edits.Apply(before); err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if !jsonpatch.Equal(patched, want) {
		t.Fatalf("%s %s: the patch makes %s, the edits %s", fam.Name, q.Operation, patched, want)
	}
}
