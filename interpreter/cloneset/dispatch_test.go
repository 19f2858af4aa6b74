package cloneset

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
)

func TestDispatch(t *testing.T) {
	divided := makeCloneSet(t).With(3, replicasPath...).With(3, partitionPath...).
		Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=2,member3=3").
		Annotation("interpreter.argosy.dev/divided", "partition=3")
	for name, tc := range map[string]struct {
		manifest   fixture.Object
		cluster    string
		overridden []string
		want       fixture.Object
		wantErr    string
	}{
		"the member's exact partition":       {manifest: divided, cluster: "member2", want: divided.With(2, partitionPath...)},
		"the careful value is the exact one": {manifest: divided, cluster: "member3", want: divided},
		"asked about its own answer": {
			manifest: divided.With(2, partitionPath...), cluster: "member2", want: divided.With(2, partitionPath...),
		},
		"nothing is divided": {manifest: makeCloneSet(t), cluster: "member2", want: makeCloneSet(t)},
		"an OverridePolicy has the last word, whose value equals the careful one": {
			manifest: divided, cluster: "member2", overridden: partitionPath, want: divided,
		},
		"an OverridePolicy of another field": {
			manifest: divided, cluster: "member2", overridden: surgePath, want: divided.With(2, partitionPath...),
		},
		"an OverridePolicy's percentage has the last word too": {
			manifest: divided.With("50%", partitionPath...), cluster: "member2", want: divided.With("50%", partitionPath...),
		},
		"a cluster the division does not know": {
			manifest: divided, cluster: "member9",
			wantErr: "metadata.annotations[interpreter.argosy.dev/partition-by-cluster]: it has no part for member9",
		},
		"a division that cannot be read": {
			manifest: divided.Annotation("interpreter.argosy.dev/partition-by-cluster", "member2=x"), cluster: "member2",
			wantErr: "metadata.annotations[interpreter.argosy.dev/partition-by-cluster]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			manifest := tc.manifest.Unstructured()
			edits, err := fleet.Dispatch(manifest, family.Destination{
				Cluster:    tc.cluster,
				Overridden: func(path ...string) bool { return tc.overridden != nil && slices.Equal(path, tc.overridden) },
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
			if diff := cmp.Diff(tc.want.Map(), fixture.Edited(t, manifest, edits)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
