package cloneset

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/internal/fixture"
)

func TestRetain(t *testing.T) {
	divided := makeCloneSet(t).With(3, replicasPath...).With(3, partitionPath...).
		Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=2,member3=3").
		Annotation("interpreter.argosy.dev/divided", "partition=3")
	request := makeCloneSet(t).With(3, replicasPath...).Annotation("scalein.argosy.dev/request", "7f3a;member1:3=web-a,web-b;member2:1=web-c")
	for name, tc := range map[string]struct {
		desired, observed fixture.Object
		want              fixture.Object
		wantErr           string
	}{
		"nothing belongs to the member": {
			desired: makeCloneSet(t).With(3, replicasPath...), observed: makeCloneSet(t).With(7, replicasPath...).In("member1"),
			want: makeCloneSet(t).With(3, replicasPath...),
		},
		"a divided number was made this member's at the Work's admission": {
			desired: divided, observed: makeCloneSet(t).In("member2").With(2, partitionPath...),
			want: divided,
		},
		"created with this template and never updated": {
			desired:  divided.Annotation("interpreter.argosy.dev/created-with", "b"),
			observed: makeCloneSet(t).In("member2").Annotation("interpreter.argosy.dev/created-with", "b"),
			want:     divided.Annotation("interpreter.argosy.dev/created-with", "b"),
		},
		"created with another template": {
			desired:  divided.Annotation("interpreter.argosy.dev/created-with", "b"),
			observed: makeCloneSet(t).In("member2").Annotation("interpreter.argosy.dev/created-with", "a"),
			want:     divided,
		},
		"nobody knows what it was created with": {
			desired: divided.Annotation("interpreter.argosy.dev/created-with", "b"), observed: makeCloneSet(t).In("member2"),
			want: divided,
		},
		"replicas an HPA of the member owns": {
			desired:  makeCloneSet(t).Label("resourcetemplate.karmada.io/retain-replicas", "true"),
			observed: makeCloneSet(t).With(7, replicasPath...).In("member1"),
			want:     makeCloneSet(t).Label("resourcetemplate.karmada.io/retain-replicas", "true").With(7, replicasPath...),
		},
		"a rollout the member owns, by annotation": {
			desired:  divided.Annotation("interpreter.argosy.dev/retain", "rollout"),
			observed: makeCloneSet(t).In("member2").With("10%", partitionPath...).With(true, pausedPath...),
			want:     divided.Annotation("interpreter.argosy.dev/retain", "rollout").With("10%", partitionPath...).With(true, pausedPath...),
		},
		"a rollout the member owns, by label, where the member has no value": {
			desired:  makeCloneSet(t).Label("interpreter.argosy.dev/retain", "rollout").With(4, partitionPath...),
			observed: makeCloneSet(t).In("member2"),
			want:     makeCloneSet(t).Label("interpreter.argosy.dev/retain", "rollout").With(map[string]any{}, "spec", "updateStrategy"),
		},
		"names set in the member by hand survive": {
			desired: makeCloneSet(t), observed: makeCloneSet(t).In("member1").With([]any{"web-z"}, podsToDeletePath...),
			want: makeCloneSet(t).With([]any{"web-z"}, podsToDeletePath...),
		},
		"a request reaches its member once": {
			desired: request, observed: makeCloneSet(t).In("member1").With([]any{"web-z"}, podsToDeletePath...),
			want: request.With([]any{"web-z", "web-a", "web-b"}, podsToDeletePath...).Annotation("scalein.argosy.dev/delivered", "7f3a"),
		},
		"names delivered are not sent again": {
			desired:  request.Annotation("scalein.argosy.dev/delivered", "7f3a"),
			observed: makeCloneSet(t).In("member1").With([]any{"web-b"}, podsToDeletePath...).Annotation("scalein.argosy.dev/delivered", "7f3a"),
			want:     request.Annotation("scalein.argosy.dev/delivered", "7f3a").With([]any{"web-b"}, podsToDeletePath...),
		},
		"names wait for the lowered replicas": {
			desired: request, observed: makeCloneSet(t).In("member2"),
			want: request,
		},
		"a request for others": {
			desired: request, observed: makeCloneSet(t).In("member3").With([]any{"web-z"}, podsToDeletePath...),
			want: request.With([]any{"web-z"}, podsToDeletePath...),
		},
		"a request that cannot be read": {
			desired: makeCloneSet(t).Annotation("scalein.argosy.dev/request", "7f3a;member1"), observed: makeCloneSet(t).In("member1"),
			wantErr: "metadata.annotations: annotation scalein.argosy.dev/request",
		},
		"an observed list of the wrong type": {
			desired: makeCloneSet(t), observed: makeCloneSet(t).With([]any{int64(1)}, podsToDeletePath...),
			wantErr: "observedObject.spec.scaleStrategy.podsToDelete[0]: want a string, have 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			desired, observed := tc.desired.Unstructured(), tc.observed.Unstructured()
			edits, err := fleet.Retain(desired, observed)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) || edits != nil {
					t.Fatalf("error %v, edits %v, want an error with %q and no edits", err, edits, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want.Map(), fixture.Edited(t, desired, edits)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInterpretHealth(t *testing.T) {
	// Ten replicas, all updated and available, generation observed.
	well := makeCloneSet(t).
		WithYAML("{observedGeneration: 3, replicas: 10, updatedReplicas: 10, availableReplicas: 10, expectedUpdatedReplicas: 10}", "status")
	for name, tc := range map[string]struct {
		observed fixture.Object
		want     bool
	}{
		"well":                {observed: well, want: true},
		"no status yet":       {observed: makeCloneSet(t)},
		"generation not seen": {observed: well.With(2, "status", "observedGeneration")},
		"rollout on its way":  {observed: well.With(6, "status", "updatedReplicas")},
		"paused half way":     {observed: well.With(6, "status", "updatedReplicas").With(true, pausedPath...), want: true},
		"held at its partition": {
			observed: well.With(8, partitionPath...).With(2, "status", "updatedReplicas").With(2, "status", "expectedUpdatedReplicas"), want: true,
		},
		"held by a percentage": {
			observed: well.With("75%", partitionPath...).Without("status", "expectedUpdatedReplicas").With(2, "status", "updatedReplicas"),
			want:     true,
		},
		"not yet at a partition": {
			observed: well.With("75%", partitionPath...).Without("status", "expectedUpdatedReplicas").With(1, "status", "updatedReplicas"),
		},
		"partition above all": {
			observed: well.With(1000, partitionPath...).Without("status", "expectedUpdatedReplicas").With(0, "status", "updatedReplicas"),
			want:     true,
		},
		"as many missing as OpenKruise allows": {observed: well.With(8, "status", "availableReplicas"), want: true},
		"more missing than it allows":          {observed: well.With(7, "status", "availableReplicas")},
		"as many missing as the user allows":   {observed: well.With(5, unavailablePath...).With(5, "status", "availableReplicas"), want: true},
		"one replica of one is missing": {
			observed: well.With(1, replicasPath...).With(1, "status", "updatedReplicas").With(1, "status", "expectedUpdatedReplicas").
				With(0, "status", "availableReplicas"),
		},
		"one of two, by the default": {
			observed: well.With(2, replicasPath...).With(2, "status", "updatedReplicas").With(2, "status", "expectedUpdatedReplicas").
				With(1, "status", "availableReplicas"),
		},
		"all may be missing, none is there": {observed: well.With("100%", unavailablePath...).With(0, "status", "availableReplicas")},
		"paused and broken":                 {observed: well.With(true, pausedPath...).With(0, "status", "availableReplicas")},
		"scaled to nothing": {
			observed: makeCloneSet(t).With(0, replicasPath...).With(3, "status", "observedGeneration"), want: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := interpretHealth(tc.observed.Unstructured())
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("healthy is %t, want %t", got, tc.want)
			}
		})
	}
}
