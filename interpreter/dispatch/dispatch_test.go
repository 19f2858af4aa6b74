package dispatch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter"
)

// TestDecide goes through the notes Karmada leaves on a Work, for member2 of 4+3+3 with partition 8: its careful value is 3, its exact
// one 2.
func TestDecide(t *testing.T) {
	const local, cluster = "policy.karmada.io/applied-overrides", "policy.karmada.io/applied-cluster-overrides"
	manifest := fixture.Parse(t, `
apiVersion: apps.kruise.io/v1beta1
kind: CloneSet
metadata:
  name: web
  annotations:
    interpreter.argosy.dev/partition-by-cluster: member1=3,member2=2,member3=3
    interpreter.argosy.dev/divided: partition=3
spec: {replicas: 3, updateStrategy: {partition: 3}}
`)
	for name, tc := range map[string]struct {
		manifest    fixture.Object
		annotations map[string]string
		want        int64
		wantErr     string
	}{
		"no overrides": {manifest: manifest, want: 2},
		"the field": {
			manifest: manifest, want: 3,
			annotations: map[string]string{
				local: `[{"policyName":"a","overriders":{"plaintext":[{"path":"/spec/updateStrategy/partition","operator":"replace","value":3}]}}]`,
			},
		},
		"an object around it": {
			manifest: manifest, want: 3,
			annotations: map[string]string{
				cluster: `[{"policyName":"a","overriders":{"plaintext":[{"path":"/spec/updateStrategy","operator":"add","value":{"partition":3}}]}}]`,
			},
		},
		"another field": {
			manifest: manifest, want: 2,
			annotations: map[string]string{
				local: `[{"policyName":"a","overriders":{"plaintext":[{"path":"/spec/replicas","operator":"replace","value":3}],` +
					`"imageOverrider":[{"component":"Registry","operator":"replace","value":"mirror.example"}]}}]`,
			},
		},
		"a field whose name begins alike": {
			manifest: manifest.With(3, "spec", "update"), want: 2,
			annotations: map[string]string{
				local: `[{"policyName":"a","overriders":{"plaintext":[{"path":"/spec/update","operator":"add","value":3}]}}]`,
			},
		},
		"a note of an override that is gone: Karmada takes none off": {
			manifest: manifest, want: 2,
			annotations: map[string]string{
				local: `[{"policyName":"a","overriders":{"plaintext":[{"path":"/spec/updateStrategy/partition","operator":"replace","value":1}]}}]`,
			},
		},
		"two, and the later holds": {
			manifest: manifest, want: 3,
			annotations: map[string]string{
				cluster: `[{"policyName":"a","overriders":{"plaintext":[{"path":"/spec/updateStrategy/partition","operator":"replace","value":1}]}}]`,
				local:   `[{"policyName":"b","overriders":{"plaintext":[{"path":"/spec/updateStrategy/partition","operator":"replace","value":3}]}}]`,
			},
		},
		"a field that was removed": {
			manifest: manifest.Without("spec", "updateStrategy"), want: 0,
			annotations: map[string]string{
				local: `[{"policyName":"a","overriders":{"plaintext":[{"path":"/spec/updateStrategy","operator":"remove"}]}}]`,
			},
		},
		"a note that cannot be read": {
			manifest: manifest, annotations: map[string]string{local: `{`}, wantErr: "metadata.annotations[policy.karmada.io/applied-overrides]",
		},
		"not a kind of ours": {manifest: manifest.With("Other", "kind"), want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			object := tc.manifest.Unstructured()
			edits, err := Decide(interpreter.NewCatalog(interpreter.Families()), Manifest{
				Object: object, Cluster: "member2", Annotations: tc.annotations,
			})
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) || edits != nil {
					t.Fatalf("error %v, edits %v, want an error with %q and no edits", err, edits, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := tc.manifest
			if tc.want != 0 {
				want = want.With(tc.want, "spec", "updateStrategy", "partition")
			}
			if diff := cmp.Diff(want.Map(), fixture.Edited(t, object, edits)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzAppliedOverrides(f *testing.F) {
	f.Add(`[{"policyName":"a","overriders":{"plaintext":[{"path":"/a/0/~1b","operator":"add","value":3}]}}]`)
	f.Add(`[{"overriders":{"plaintext":[{"path":"","operator":"add"}]}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		applied, err := appliedOverrides(map[string]string{"policy.karmada.io/applied-overrides": text})
		if err != nil {
			return
		}
		applied.touch(map[string]any{"a": []any{map[string]any{"/b": int64(3)}}}, []string{"a"})
	})
}
