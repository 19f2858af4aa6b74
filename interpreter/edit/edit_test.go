package edit

import (
	"encoding/json"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"
)

func TestPatch(t *testing.T) {
	object := map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"a.b/c": "1"}},
		"spec":     map[string]any{"replicas": int64(3), "paused": nil, "image": "web"},
	}
	for name, tc := range map[string]struct {
		edits   List
		want    string
		wantErr string
	}{
		"nothing": {edits: nil},
		"what is there already": {
			edits: List{Set(int64(3), "spec", "replicas"), Annotate("a.b/c", "1"), Remove("spec", "absent"), Remove("absent", "below")},
		},
		"a value": {
			edits: List{Set(int64(4), "spec", "replicas")}, want: `[{"op":"add","path":"/spec/replicas","value":4}]`,
		},
		"a value of nothing": {
			edits: List{Set(false, "spec", "replicas")}, want: `[{"op":"add","path":"/spec/replicas","value":false}]`,
		},
		"a key is escaped": {
			edits: List{Annotate("a.b/~c", "2")}, want: `[{"op":"add","path":"/metadata/annotations/a.b~1~0c","value":"2"}]`,
		},
		"a field goes": {edits: List{Remove("spec", "replicas")}, want: `[{"op":"remove","path":"/spec/replicas"}]`},
		"parents are made once": {
			edits: List{Set("x", "status", "a", "b"), Set("y", "status", "a", "c")},
			want: `[{"op":"add","path":"/status","value":{}},{"op":"add","path":"/status/a","value":{}},` +
				`{"op":"add","path":"/status/a/b","value":"x"},{"op":"add","path":"/status/a/c","value":"y"}]`,
		},
		"null is absent": {
			edits: List{Set(true, "spec", "paused", "why")},
			want:  `[{"op":"add","path":"/spec/paused","value":{}},{"op":"add","path":"/spec/paused/why","value":true}]`,
		},
		"the later edit of a field holds": {edits: List{Set(int64(4), "spec", "replicas"), Set(int64(3), "spec", "replicas")}},
		"set and taken away again":        {edits: List{Set("x", "status", "phase"), Remove("status", "phase")}},
		"below what is no object":         {edits: List{Set("x", "spec", "image", "name")}, wantErr: "spec.image: want an object, have web"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.edits.Patch(object)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) || got != nil {
					t.Fatalf("patch %s, error %v, want an error with %q and no patch", got, err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Error(diff)
			}
			patchIsApply(t, object, tc.edits)
		})
	}
}

// TestPatchIsApply: whatever the object and the edits, what Karmada makes of the patch is what Apply makes.
func TestPatchIsApply(t *testing.T) {
	key := rapid.SampledFrom([]string{"a", "b", "c/d", "~"})
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		kinds := []*rapid.Generator[any]{
			rapid.Just[any](nil), rapid.Just[any]("text"), rapid.Map(rapid.Int64Range(0, 3), func(n int64) any { return n }),
		}
		if depth > 0 {
			kinds = append(kinds, rapid.Map(rapid.MapOfN(key, value(depth-1), 0, 3), func(m map[string]any) any { return m }))
		}
		return rapid.OneOf(kinds...)
	}
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOfN(key, value(3), 0, 4).Draw(t, "object")
		var edits List
		for range rapid.IntRange(0, 5).Draw(t, "edits") {
			edits = append(edits, Edit{
				Path: rapid.SliceOfN(key, 1, 4).Draw(t, "path"), Value: value(1).Draw(t, "value"), Remove: rapid.Bool().Draw(t, "remove"),
			})
		}
		// A path through what another edit of the list made is not what a rule does.
		for i, e := range edits {
			for _, other := range edits[:i] {
				if strings.HasPrefix(pointer(e.Path)+"/", pointer(other.Path)+"/") || strings.HasPrefix(pointer(other.Path)+"/", pointer(e.Path)+"/") {
					if pointer(e.Path) != pointer(other.Path) {
						t.Skip("one edit inside another's value")
					}
				}
			}
		}
		patchIsApply(t, object, edits)
	})
}

func patchIsApply(t rapid.TB, object map[string]any, edits List) {
	t.Helper()
	before, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	patch, patchErr := edits.Patch(object)
	applied := runtime.DeepCopyJSON(object)
	applyErr := edits.Apply(applied)
	if (patchErr == nil) != (applyErr == nil) {
		t.Fatalf("Patch says %v, Apply says %v", patchErr, applyErr)
	}
	if patchErr != nil {
		return
	}
	after := before
	if patch != nil {
		decoded, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			t.Fatal(err)
		}
		if after, err = decoded.Apply(before); err != nil {
			t.Fatalf("%s on %s: %v", patch, before, err)
		}
	}
	var got map[string]any
	if err := json.Unmarshal(after, &got); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(applied)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s on %s: %s", patch, before, diff)
	}
}
