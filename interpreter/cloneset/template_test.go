package cloneset

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	"github.com/argosy-dev/argosy/internal/fixture"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/share"
)

func TestReviseReplica(t *testing.T) {
	three := []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 4}, {Name: "member2", Replicas: 3}, {Name: "member3", Replicas: 3}}
	ones := []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 1}, {Name: "member2", Replicas: 1}, {Name: "member3", Replicas: 1}}
	twos := []workv1alpha2.TargetCluster{{Name: "member1", Replicas: 2}, {Name: "member2", Replicas: 2}, {Name: "member3", Replicas: 2}}
	// Six replicas, of which one is to be new.
	moved := makeCloneSet(t).With(6, replicasPath...).With(5, partitionPath...).
		WithYAML("{spec: {containers: [{image: v2}]}}", templatePath...)
	created, err := share.Hash(moved.Unstructured(), templatePath...)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		template fixture.Object
		target   family.Target
		want     fixture.Object
		wantErr  string
	}{
		"replicas alone": {
			template: makeCloneSet(t),
			target:   family.Target{Replicas: 4},
			want:     makeCloneSet(t).With(4, replicasPath...),
		},
		"one canary of ten over three members": {
			template: makeCloneSet(t).With(9, partitionPath...),
			target:   family.Target{Replicas: 4, Clusters: three},
			want: makeCloneSet(t).With(4, replicasPath...).With(3, partitionPath...).
				Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=3,member3=3").
				Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=4,member2=3,member3=3").
				Annotation("interpreter.argosy.dev/divided", "partition=3"),
		},
		"members with as many replicas get the careful value": {
			template: makeCloneSet(t).With(8, partitionPath...),
			target:   family.Target{Replicas: 3, Clusters: three},
			want: makeCloneSet(t).With(3, replicasPath...).With(3, partitionPath...).
				Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=2,member3=3").
				Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=4,member2=3,member3=3").
				Annotation("interpreter.argosy.dev/divided", "partition=3"),
		},
		"without a readable binding nothing more than asked is updated": {
			template: makeCloneSet(t).With(8, partitionPath...),
			target:   family.Target{Replicas: 4},
			want:     makeCloneSet(t).With(4, replicasPath...).With(4, partitionPath...),
		},
		"all of it in one cluster": {
			template: makeCloneSet(t).With(8, partitionPath...),
			target:   family.Target{Replicas: 10},
			want:     makeCloneSet(t).With(8, partitionPath...),
		},
		"a partition that holds everything stays whole": {
			template: makeCloneSet(t).With(1000, partitionPath...),
			target:   family.Target{Replicas: 4, Clusters: three},
			want:     makeCloneSet(t).With(4, replicasPath...).With(1000, partitionPath...),
		},
		"a percentage is one of the fleet: one of ten": {
			template: makeCloneSet(t).With("90%", partitionPath...),
			target:   family.Target{Replicas: 4, Clusters: three},
			want: makeCloneSet(t).With(4, replicasPath...).With(3, partitionPath...).
				Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=3,member3=3").
				Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=4,member2=3,member3=3").
				Annotation("interpreter.argosy.dev/divided", "partition=3"),
		},
		"less than all of the fleet held back is one updated": {
			template: makeCloneSet(t).With("99%", partitionPath...),
			target:   family.Target{Replicas: 4, Clusters: three},
			want: makeCloneSet(t).With(4, replicasPath...).With(3, partitionPath...).
				Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=3,member3=3").
				Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=4,member2=3,member3=3").
				Annotation("interpreter.argosy.dev/divided", "partition=3"),
		},
		"half of three over three members: one is updated": {
			template: makeCloneSet(t).With(3, replicasPath...).With("50%", partitionPath...),
			target:   family.Target{Replicas: 1, Clusters: ones},
			want: makeCloneSet(t).With(1, replicasPath...).With(1, partitionPath...).
				Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=0,member2=1,member3=1").
				Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=1,member2=1,member3=1").
				Annotation("interpreter.argosy.dev/divided", "partition=1"),
		},
		"a hundredth of three over three members: one is held back, and where it is held nothing is known to be updated": {
			template: makeCloneSet(t).With(3, replicasPath...).With("1%", partitionPath...),
			target:   family.Target{Replicas: 1, Clusters: ones},
			want: makeCloneSet(t).With(1, replicasPath...).With(1, partitionPath...).
				Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=0,member2=0,member3=1").
				Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=1,member2=1,member3=1").
				Annotation("interpreter.argosy.dev/divided", "partition=1"),
		},
		"all of the fleet held back": {
			template: makeCloneSet(t).With("100%", partitionPath...),
			target:   family.Target{Replicas: 4, Clusters: three},
			want:     makeCloneSet(t).With(4, replicasPath...).With("100%", partitionPath...),
		},
		"a percentage of what may be away, and of what may be extra, is each member's": {
			template: makeCloneSet(t).With("15%", unavailablePath...).With("21%", surgePath...),
			target:   family.Target{Replicas: 3, Clusters: three},
			want:     makeCloneSet(t).With(3, replicasPath...).With("15%", unavailablePath...).With("21%", surgePath...),
		},
		"members own their replicas, and a percentage is of those": {
			template: makeCloneSet(t).With("90%", partitionPath...).Label("resourcetemplate.karmada.io/retain-replicas", "true"),
			target:   family.Target{Replicas: 4, Clusters: three},
			want: makeCloneSet(t).With(4, replicasPath...).With("90%", partitionPath...).
				Label("resourcetemplate.karmada.io/retain-replicas", "true"),
		},
		"replicas in a new member are all new, and nothing else is updated": {
			template: moved, target: family.Target{Replicas: 2, Clusters: twos, CreatedWith: map[string]string{"member1": "", "member2": ""}},
			want: moved.With(2, replicasPath...).With(2, partitionPath...).Annotation("interpreter.argosy.dev/created-with", created).
				Annotation("interpreter.argosy.dev/template", created).
				Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=2,member2=2,member3=2").
				Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=2,member2=2,member3=2").
				Annotation("interpreter.argosy.dev/divided", "partition=2"),
		},
		"what a new member does not spend is divided": {
			template: moved.With(3, partitionPath...),
			target:   family.Target{Replicas: 2, Clusters: twos, CreatedWith: map[string]string{"member1": "", "member2": "", "member3": created}},
			want: moved.With(2, replicasPath...).With(2, partitionPath...).Annotation("interpreter.argosy.dev/created-with", created).
				Annotation("interpreter.argosy.dev/template", created).
				Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=1,member2=2,member3=2").
				Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=2,member2=2,member3=2").
				Annotation("interpreter.argosy.dev/divided", "partition=2"),
		},
		"a member that was new with another template is as any": {
			template: moved, target: family.Target{
				Replicas: 2, Clusters: twos, CreatedWith: map[string]string{"member1": "", "member2": "", "member3": "old"},
			},
			want: moved.With(2, replicasPath...).With(2, partitionPath...).Annotation("interpreter.argosy.dev/created-with", created).
				Annotation("interpreter.argosy.dev/template", created).
				Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=1,member2=2,member3=2").
				Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=2,member2=2,member3=2").
				Annotation("interpreter.argosy.dev/divided", "partition=2"),
		},
		"replicas on their way down: the binding still has ten": {
			template: makeCloneSet(t).With(5, replicasPath...).With(3, partitionPath...),
			target:   family.Target{Replicas: 4, Clusters: three},
			want: makeCloneSet(t).With(4, replicasPath...).With(3, partitionPath...).
				Annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=2,member3=3").
				Annotation("interpreter.argosy.dev/replicas-by-cluster", "member1=4,member2=3,member3=3").
				Annotation("interpreter.argosy.dev/divided", "partition=3"),
		},
		"maxUnavailable is never divided to nothing": {
			template: makeCloneSet(t).With(2, unavailablePath...).With(6, surgePath...),
			target:   family.Target{Replicas: 3, Clusters: three},
			want: makeCloneSet(t).With(3, replicasPath...).With(1, unavailablePath...).With(2, surgePath...).
				Annotation("interpreter.argosy.dev/max-unavailable-by-cluster", "member1=1,member2=1,member3=1").
				Annotation("interpreter.argosy.dev/max-surge-by-cluster", "member1=2,member2=2,member3=2").
				Annotation("interpreter.argosy.dev/divided", "max-unavailable=1,max-surge=2"),
		},
		"maxUnavailable 0 stays 0": {
			template: makeCloneSet(t).With(0, unavailablePath...),
			target:   family.Target{Replicas: 4, Clusters: three},
			want:     makeCloneSet(t).With(4, replicasPath...).With(0, unavailablePath...),
		},
		"a template that is cut off is left alone": {
			template: makeCloneSet(t).With(9, partitionPath...).Annotation("migration.argosy.dev/cut-off", "true"),
			target:   family.Target{Replicas: 4, Clusters: three},
			want:     makeCloneSet(t).With(9, partitionPath...).Annotation("migration.argosy.dev/cut-off", "true"),
		},
		"names to delete do not reach every member": {
			template: makeCloneSet(t).With([]any{"web-a"}, podsToDeletePath...),
			target:   family.Target{Replicas: 4},
			want:     makeCloneSet(t).With(4, replicasPath...).With(map[string]any{}, "spec", "scaleStrategy"),
		},
		"a division nobody asked for is removed": {
			template: makeCloneSet(t).Annotation("interpreter.argosy.dev/divided", "partition=1").Annotation("kept", "yes"),
			target:   family.Target{Replicas: 4},
			want:     makeCloneSet(t).With(4, replicasPath...).Annotation("kept", "yes"),
		},
		"absent replicas are one": {
			template: makeCloneSet(t).Without("spec", "replicas").With(1, partitionPath...),
			target:   family.Target{Replicas: 1},
			want:     makeCloneSet(t).With(1, replicasPath...).With(1, partitionPath...),
		},
		"a partition of the wrong type": {
			template: makeCloneSet(t).With([]any{}, partitionPath...),
			wantErr:  "spec.updateStrategy.partition: want a whole number, have a list",
		},
		"an updateStrategy of the wrong type": {
			template: makeCloneSet(t).With("RollingUpdate", "spec", "updateStrategy"),
			wantErr:  `spec.updateStrategy: want an object, have "RollingUpdate"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			template := tc.template.Unstructured()
			edits, err := fleet.ReviseReplica(template, tc.target)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) || edits != nil {
					t.Fatalf("error %v, edits %v, want an error with %q and no edits", err, edits, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want.Map(), fixture.Edited(t, template, edits)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.template.Unstructured(), template); diff != "" {
				t.Errorf("the rule changed the object it was given: %s", diff)
			}
		})
	}
}
