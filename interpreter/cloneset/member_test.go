package cloneset

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRetain(t *testing.T) {
	divided := makeCloneSet().replicas(3).partition(int64(3)).
		annotation("interpreter.argosy.dev/partition-by-cluster", "member1=3,member2=2,member3=3").
		annotation("interpreter.argosy.dev/divided", "partition=3")
	request := makeCloneSet().replicas(3).annotation("scalein.argosy.dev/request", "7f3a;member1:3=web-a,web-b;member2:1=web-c")
	for name, tc := range map[string]struct {
		desired, observed cloneSet
		want              cloneSet
		wantErr           string
	}{
		"nothing belongs to the member": {
			desired: makeCloneSet().replicas(3), observed: makeCloneSet().replicas(7).in("member1"),
			want: makeCloneSet().replicas(3),
		},
		"the member's exact partition": {
			desired: divided, observed: makeCloneSet().in("member2"),
			want: divided.partition(int64(2)),
		},
		"a cluster the division does not know": {
			desired: divided, observed: makeCloneSet().in("member9"),
			want: divided,
		},
		"an object that does not say where it is": {
			desired: divided, observed: makeCloneSet(),
			want: divided,
		},
		"an OverridePolicy has the last word": {
			desired: divided.partition(int64(1)), observed: makeCloneSet().in("member2"),
			want: divided.partition(int64(1)),
		},
		"an OverridePolicy's percentage has it too": {
			desired: divided.partition("50%"), observed: makeCloneSet().in("member2"),
			want: divided.partition("50%"),
		},
		"replicas an HPA of the member owns": {
			desired: makeCloneSet().label("resourcetemplate.karmada.io/retain-replicas", "true"), observed: makeCloneSet().replicas(7).in("member1"),
			want: makeCloneSet().label("resourcetemplate.karmada.io/retain-replicas", "true").replicas(7),
		},
		"a rollout the member owns, by annotation": {
			desired:  divided.annotation("interpreter.argosy.dev/retain", "rollout"),
			observed: makeCloneSet().in("member2").partition("10%").with(true, pausedPath...),
			want:     divided.annotation("interpreter.argosy.dev/retain", "rollout").partition("10%").with(true, pausedPath...),
		},
		"a rollout the member owns, by label, where the member has no value": {
			desired:  makeCloneSet().label("interpreter.argosy.dev/retain", "rollout").partition(int64(4)),
			observed: makeCloneSet().in("member2"),
			want:     makeCloneSet().label("interpreter.argosy.dev/retain", "rollout").with(map[string]any{}, "spec", "updateStrategy"),
		},
		"names set in the member by hand survive": {
			desired: makeCloneSet(), observed: makeCloneSet().in("member1").with([]any{"web-z"}, podsToDeletePath...),
			want: makeCloneSet().with([]any{"web-z"}, podsToDeletePath...),
		},
		"a request reaches its member once": {
			desired: request, observed: makeCloneSet().in("member1").with([]any{"web-z"}, podsToDeletePath...),
			want: request.with([]any{"web-z", "web-a", "web-b"}, podsToDeletePath...).annotation("scalein.argosy.dev/delivered", "7f3a"),
		},
		"names delivered are not sent again": {
			desired:  request.annotation("scalein.argosy.dev/delivered", "7f3a"),
			observed: makeCloneSet().in("member1").with([]any{"web-b"}, podsToDeletePath...).annotation("scalein.argosy.dev/delivered", "7f3a"),
			want:     request.annotation("scalein.argosy.dev/delivered", "7f3a").with([]any{"web-b"}, podsToDeletePath...),
		},
		"names wait for the lowered replicas": {
			desired: request, observed: makeCloneSet().in("member2"),
			want: request,
		},
		"a request for others": {
			desired: request, observed: makeCloneSet().in("member3").with([]any{"web-z"}, podsToDeletePath...),
			want: request.with([]any{"web-z"}, podsToDeletePath...),
		},
		"a request that cannot be read": {
			desired: makeCloneSet().annotation("scalein.argosy.dev/request", "7f3a;member1"), observed: makeCloneSet().in("member1"),
			wantErr: "metadata.annotations: annotation scalein.argosy.dev/request",
		},
		"a division that cannot be read": {
			desired: divided.annotation("interpreter.argosy.dev/partition-by-cluster", "member2=x"), observed: makeCloneSet().in("member2"),
			wantErr: "metadata.annotations[interpreter.argosy.dev/partition-by-cluster]",
		},
		"an observed list of the wrong type": {
			desired: makeCloneSet(), observed: makeCloneSet().with([]any{int64(1)}, podsToDeletePath...),
			wantErr: "observedObject.spec.scaleStrategy.podsToDelete[0]: want a string, have 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			desired, observed := tc.desired.obj(), tc.observed.obj()
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
			if diff := cmp.Diff(tc.want.obj(), after(t, desired, edits)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInterpretHealth(t *testing.T) {
	// Ten replicas, all updated and available, generation observed.
	well := makeCloneSet().status(map[string]any{
		"observedGeneration": int64(3), "replicas": int64(10), "updatedReplicas": int64(10),
		"availableReplicas": int64(10), "expectedUpdatedReplicas": int64(10),
	})
	status := func(name string, n int64) map[string]any { return map[string]any{name: n} }
	for name, tc := range map[string]struct {
		observed cloneSet
		want     bool
	}{
		"well":                                 {observed: well, want: true},
		"no status yet":                        {observed: makeCloneSet()},
		"generation not seen":                  {observed: well.status(status("observedGeneration", 2))},
		"rollout on its way":                   {observed: well.status(status("updatedReplicas", 6))},
		"paused half way":                      {observed: well.status(status("updatedReplicas", 6)).with(true, pausedPath...), want: true},
		"held at its partition":                {observed: well.partition(int64(8)).status(map[string]any{"updatedReplicas": int64(2), "expectedUpdatedReplicas": int64(2)}), want: true},
		"held by a percentage":                 {observed: well.partition("75%").without("status", "expectedUpdatedReplicas").status(status("updatedReplicas", 2)), want: true},
		"not yet at a partition":               {observed: well.partition("75%").without("status", "expectedUpdatedReplicas").status(status("updatedReplicas", 1))},
		"partition above all":                  {observed: well.partition(int64(1000)).without("status", "expectedUpdatedReplicas").status(status("updatedReplicas", 0)), want: true},
		"as many missing as OpenKruise allows": {observed: well.status(status("availableReplicas", 8)), want: true},
		"more missing than it allows":          {observed: well.status(status("availableReplicas", 7))},
		"as many missing as the user allows":   {observed: well.with(int64(5), unavailablePath...).status(status("availableReplicas", 5)), want: true},
		"one replica of one is missing":        {observed: well.replicas(1).status(map[string]any{"updatedReplicas": int64(1), "expectedUpdatedReplicas": int64(1), "availableReplicas": int64(0)})},
		"one of two, by the default":           {observed: well.replicas(2).status(map[string]any{"updatedReplicas": int64(2), "expectedUpdatedReplicas": int64(2), "availableReplicas": int64(1)})},
		"all may be missing, none is there":    {observed: well.with("100%", unavailablePath...).status(status("availableReplicas", 0))},
		"paused and broken":                    {observed: well.with(true, pausedPath...).status(status("availableReplicas", 0))},
		"scaled to nothing":                    {observed: makeCloneSet().replicas(0).status(status("observedGeneration", 3)), want: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := interpretHealth(tc.observed.obj())
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("healthy is %t, want %t", got, tc.want)
			}
		})
	}
}
