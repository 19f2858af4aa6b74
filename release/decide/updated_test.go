package decide

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// TestUpdatedIsOfTheReleasesRevision: a member calls updated what its own object says; a person reads how many replicas have what is
// released. Under test is r2; r1 is what was before it.
func TestUpdatedIsOfTheReleasesRevision(t *testing.T) {
	one := int64(1)
	for name, tc := range map[string]struct {
		work     Work
		unwell   bool // the cluster does not answer
		stable   string
		rejected []string
		want     int32
		wantAll  string
	}{
		"held":                 {work: Work{Revision: "r1", Observed: true, Desired: 3, Updated: 3, Ready: 3}, want: 0, wantAll: "0/3"},
		"held, and scaled":     {work: Work{Revision: "r1", Observed: true, Desired: 3, Updated: 2, Ready: 2}, want: 0, wantAll: "0/3"},
		"held, and not heard":  {work: Work{Revision: "r1", Desired: 3, Updated: 3, Ready: 3}, want: -1, wantAll: "0/3"},
		"held, and away":       {work: Work{Revision: "r1", Observed: true, Desired: 3, Updated: 3}, unwell: true, want: -1, wantAll: "0/3"},
		"with part of another": {work: Work{Revision: "r0", Share: &one, Observed: true, Desired: 3, Updated: 1, Ready: 3}, wantAll: "0/3"},
		"open":                 {work: Work{Revision: "r2", Observed: true, Desired: 3, Updated: 2, Ready: 3}, want: 2, wantAll: "2/3"},
		"open in part": {work: Work{Revision: "r2", Share: &one, Observed: true, Desired: 3, Updated: 1, Ready: 3},
			want: 1, wantAll: "1/3"},
		"going back": {work: Work{Revision: "r1", Observed: true, Desired: 3, Updated: 1}, rejected: []string{"r2"},
			want: -1, wantAll: "0/3"},
		"gone back": {work: Work{Revision: "r1", Observed: true, Desired: 3, Updated: 3}, rejected: []string{"r2"},
			want: 0, wantAll: "0/3"},
		"left in the middle": {work: Work{Revision: "r3", Observed: true, Desired: 3, Updated: 1}, stable: "r2", want: -1, wantAll: "0/3"},
		"left with part of one": {work: Work{Revision: "r3", Share: &one, Observed: true, Desired: 3, Updated: 3}, stable: "r2", want: -1,
			wantAll: "0/3"},
	} {
		t.Run(name, func(t *testing.T) {
			stable := tc.stable
			if stable == "" {
				stable = "r1"
			}
			cluster := Cluster{Name: "member1", Replicas: 3, Work: &tc.work}
			if tc.unwell {
				cluster.Unreachable = "no answer"
			}
			n := &next{
				World: World{Template: &Template{Revision: "r2"}, Clusters: []Cluster{cluster}}, spec: &v1alpha1.ReleaseSpec{},
				before: &v1alpha1.ReleaseStatus{},
			}
			n.Status.Dispatch = &v1alpha1.Dispatch{Revision: "r2", Stable: stable, Rejected: tc.rejected}
			n.clusters(nothing())
			n.summary()
			if got := n.Status.Clusters[0].Updated; got != tc.want || n.Status.UpdatedText != tc.wantAll {
				t.Errorf("updated %d, want %d; of all %s, want %s", got, tc.want, n.Status.UpdatedText, tc.wantAll)
			}
		})
	}
}

// TestRolledBackWaitsForTheReplicas: a Work goes back at once, and its member has looked at it soon; what was rejected runs for as long as
// the member takes to replace it.
func TestRolledBackWaitsForTheReplicas(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1")})
	f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.bad[r2] = true
	f.settle()
	f.frozen = true
	f.release.Spec.Rejected = []string{r2}
	f.settle()
	f.runs(t, r2, 2)
	if f.is(v1alpha1.ConditionRolledBack) != metav1.ConditionUnknown {
		t.Errorf("member1 runs what was rejected, and RolledBack is %s", f.is(v1alpha1.ConditionRolledBack))
	}
	f.says(t, v1alpha1.ConditionRolledBack, v1alpha1.ReasonRejected, "member1 may still have replicas of another revision")
	f.frozen = false
	f.karmada()
	f.settle()
	f.runs(t, r2, 0)
	f.says(t, v1alpha1.ConditionRolledBack, v1alpha1.ReasonRolledBack, r2)

	for name, tc := range map[string]struct {
		work Work
		want bool
	}{
		"all of it":                  {Work{Desired: 3, Updated: 3}, false},
		"some of it":                 {Work{Desired: 3, Updated: 2}, true},
		"more beside it":             {Work{Desired: 3, Updated: 3, Old: 1}, true},
		"scaled to nothing, at last": {Work{}, false},
	} {
		if got := tc.work.goesBack(); got != tc.want {
			t.Errorf("%s: goes back: %v", name, got)
		}
	}
}

// TestCompleteIsOfTheTemplateAsItIs: a push that cannot be released in stages is held, and no cluster has it.
func TestCompleteIsOfTheTemplateAsItIs(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(*World)
		reason  string
	}{
		"a partition of its own": {func(w *World) { w.UnfitReason, w.Unfit = v1alpha1.ReasonPartitionSet, "take it off" },
			v1alpha1.ReasonPartitionSet},
		"a config is gone": {func(w *World) { w.UnfitReason, w.Unfit = v1alpha1.ReasonWithMissing, "ConfigMap web does not exist" },
			v1alpha1.ReasonWithMissing},
		"the template is gone": {func(w *World) { w.Template = nil }, v1alpha1.ReasonTemplateMissing},
		"cut off":              {func(w *World) { w.Migrating = "CutOff" }, v1alpha1.ReasonMigrating},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1")})
			f.push("web:1")
			f.settle()
			if f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
				t.Fatalf("status %+v", f.release.Status)
			}
			r2 := f.push("web:2")
			w := f.world()
			tc.prepare(&w)
			f.release.Status = Next(w).Status
			f.runs(t, r2, 0)
			f.says(t, v1alpha1.ConditionComplete, tc.reason, "")
			if f.is(v1alpha1.ConditionComplete) != metav1.ConditionUnknown {
				t.Errorf("Complete is %s", f.is(v1alpha1.ConditionComplete))
			}
		})
	}
}

// TestRejectedTakesTheOneInBetweenBack: with a rejected template on top nobody opens, or looks at, what was pushed between it and the
// stable one. Every cluster goes back, one with a part of it too, and RolledBack says so of no sooner.
func TestRejectedTakesTheOneInBetweenBack(t *testing.T) {
	for name, stages := range map[string][]v1alpha1.Stage{
		"cluster by cluster": {
			{Name: "first", Clusters: names("member1"), Gates: v1alpha1.Gates{Approvals: 1}},
			{Name: "second", Clusters: names("member2"), Gates: v1alpha1.Gates{Approvals: 1}},
		},
		"by number": {
			{Name: "first", Clusters: names("member1"), Gates: v1alpha1.Gates{Approvals: 1}},
			{Name: "second", Updated: number(6), Gates: v1alpha1.Gates{Approvals: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, "CloneSet", map[string]int64{"member1": 4, "member2": 3, "member3": 3}, stages...)
			r1 := f.push("web:1")
			f.settle()
			r2 := f.push("web:2")
			f.settle()
			f.approve("first", "ann")
			f.settle()
			r3 := f.push("web:3")
			f.bad[r3] = true
			f.settle()
			if between := f.count(r2); between["member1"] != 0 || between["member2"] == 0 {
				t.Fatalf("pods of %s in between: %v", r2, between)
			}
			f.runs(t, r3, 4)
			// Its members have not got to it yet.
			f.frozen = true
			f.release.Spec.Rejected = []string{r3}
			f.settle()
			if got := f.is(v1alpha1.ConditionRolledBack); got != metav1.ConditionUnknown {
				t.Fatalf("members run %v, and RolledBack is %s", f.pods, got)
			}
			f.frozen = false
			f.karmada()
			f.settle()
			f.runs(t, r1, 10)
			f.says(t, v1alpha1.ConditionRolledBack, v1alpha1.ReasonRolledBack, "no cluster has revision "+r3+": every one has "+r1)
			// A Work put back from a backup does not stay, either.
			f.works["member3"].SetAnnotations(map[string]string{
				v1alpha1.AnnotationRevision: r2, v1alpha1.AnnotationStable: r1, v1alpha1.AnnotationOpen: "member3",
			})
			f.reconcile()
			f.says(t, v1alpha1.ConditionRolledBack, v1alpha1.ReasonRejected, "member3 still has revision "+r2)
			f.passing(askAgain + 2*lookAgain)
			f.says(t, v1alpha1.ConditionRolledBack, v1alpha1.ReasonRolledBack, r3)
			// Tried again it begins at the first stage.
			f.release.Spec.Rejected = nil
			f.settle()
			f.runs(t, r3, 4)
			f.runs(t, r1, 6)
		})
	}
}
