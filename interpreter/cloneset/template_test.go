package cloneset

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	"github.com/argosy-dev/argosy/interpreter/family"
)

func TestReviseReplica(t *testing.T) {
	three := []workv1alpha2.TargetCluster{target("member1", 4), target("member2", 3), target("member3", 3)}
	for name, tc := range map[string]struct {
		template cloneSet
		target   family.Target
		want     cloneSet
		wantErr  string
	}{
		"replicas alone": {
			template: makeCloneSet(),
			target:   family.Target{Replicas: 4},
			want:     makeCloneSet().replicas(4),
		},
		"one canary of ten over three members": {
			template: makeCloneSet().partition(int64(9)),
			target:   family.Target{Replicas: 4, Clusters: three},
			want: makeCloneSet().replicas(4).partition(int64(3)).
				annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=3,member3=3").
				annotation("interpreter.argosy.dev/divided", "partition=3"),
		},
		"members with as many replicas get the careful value": {
			template: makeCloneSet().partition(int64(8)),
			target:   family.Target{Replicas: 3, Clusters: three},
			want: makeCloneSet().replicas(3).partition(int64(3)).
				annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=2,member3=3").
				annotation("interpreter.argosy.dev/divided", "partition=3"),
		},
		"without a readable binding nothing more than asked is updated": {
			template: makeCloneSet().partition(int64(8)),
			target:   family.Target{Replicas: 4},
			want:     makeCloneSet().replicas(4).partition(int64(4)),
		},
		"all of it in one cluster": {
			template: makeCloneSet().partition(int64(8)),
			target:   family.Target{Replicas: 10},
			want:     makeCloneSet().partition(int64(8)),
		},
		"a partition that holds everything stays whole": {
			template: makeCloneSet().partition(int64(1000)),
			target:   family.Target{Replicas: 4, Clusters: three},
			want:     makeCloneSet().replicas(4).partition(int64(1000)),
		},
		"a percentage means the same everywhere": {
			template: makeCloneSet().partition("90%"),
			target:   family.Target{Replicas: 4, Clusters: three},
			want:     makeCloneSet().replicas(4).partition("90%"),
		},
		"replicas on their way down: the binding still has ten": {
			template: makeCloneSet().replicas(5).partition(int64(3)),
			target:   family.Target{Replicas: 4, Clusters: three},
			want: makeCloneSet().replicas(4).partition(int64(3)).
				annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=2,member3=3").
				annotation("interpreter.argosy.dev/divided", "partition=3"),
		},
		"maxUnavailable is never divided to nothing": {
			template: makeCloneSet().with(int64(2), unavailablePath...).with(int64(6), surgePath...),
			target:   family.Target{Replicas: 3, Clusters: three},
			want: makeCloneSet().replicas(3).with(int64(1), unavailablePath...).with(int64(2), surgePath...).
				annotation("interpreter.argosy.dev/max-unavailable-by-cluster", "member1=1,member2=1,member3=1").
				annotation("interpreter.argosy.dev/max-surge-by-cluster", "member1=2,member2=2,member3=2").
				annotation("interpreter.argosy.dev/divided", "max-unavailable=1,max-surge=2"),
		},
		"maxUnavailable 0 stays 0": {
			template: makeCloneSet().with(int64(0), unavailablePath...),
			target:   family.Target{Replicas: 4, Clusters: three},
			want:     makeCloneSet().replicas(4).with(int64(0), unavailablePath...),
		},
		"a template that is cut off is left alone": {
			template: makeCloneSet().partition(int64(9)).annotation("migration.argosy.dev/cut-off", "true"),
			target:   family.Target{Replicas: 4, Clusters: three},
			want:     makeCloneSet().partition(int64(9)).annotation("migration.argosy.dev/cut-off", "true"),
		},
		"names to delete do not reach every member": {
			template: makeCloneSet().with([]any{"web-a"}, podsToDeletePath...),
			target:   family.Target{Replicas: 4},
			want:     makeCloneSet().replicas(4).with(map[string]any{}, "spec", "scaleStrategy"),
		},
		"a division nobody asked for is removed": {
			template: makeCloneSet().annotation("interpreter.argosy.dev/divided", "partition=1").annotation("kept", "yes"),
			target:   family.Target{Replicas: 4},
			want:     makeCloneSet().replicas(4).annotation("kept", "yes"),
		},
		"absent replicas are one": {
			template: makeCloneSet().without("spec", "replicas").partition(int64(1)),
			target:   family.Target{Replicas: 1},
			want:     makeCloneSet().replicas(1).partition(int64(1)),
		},
		"a partition of the wrong type": {
			template: makeCloneSet().partition([]any{}),
			wantErr:  "spec.updateStrategy.partition: want a whole number, have a list",
		},
		"an updateStrategy of the wrong type": {
			template: makeCloneSet().with("RollingUpdate", "spec", "updateStrategy"),
			wantErr:  `spec.updateStrategy: want an object, have "RollingUpdate"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			template := tc.template.obj()
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
			if diff := cmp.Diff(tc.want.obj(), after(t, template, edits)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.template.obj(), template); diff != "" {
				t.Errorf("the rule changed the object it was given: %s", diff)
			}
		})
	}
}
