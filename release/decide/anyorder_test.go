package decide

import (
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// TestNothingLeaks in any order of pushes, scalings, lost and new clusters, approvals and rejections: a cluster never has more of a
// revision than the stages of some look allowed, the stable one excepted; and in the end, approved and well, it is everywhere.
func TestNothingLeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"CloneSet", "Deployment"}).Draw(t, "kind")
		var stages []v1alpha1.Stage
		for i := range rapid.IntRange(1, 4).Draw(t, "stages") {
			stage := v1alpha1.Stage{Name: fmt.Sprintf("s%d", i), Gates: v1alpha1.Gates{Approvals: int32(rapid.IntRange(0, 1).Draw(t, "approvals"))}}
			if kind == "CloneSet" && rapid.Bool().Draw(t, "by number") {
				stage.Updated = number(rapid.IntRange(1, 12).Draw(t, "updated"))
			} else {
				stage.Clusters = names(rapid.SampledFrom([]string{"member1", "member2", "member3"}).Draw(t, "cluster"))
			}
			stages = append(stages, stage)
		}
		f := newFleet(t, kind, map[string]int64{"member1": 4, "member2": 3, "member3": 3}, stages...)
		f.push("web:0")
		f.settle()
		allowed := map[string]map[string]int64{} // by revision and cluster
		for range rapid.IntRange(1, 25).Draw(t, "turns") {
			f.turn(t)
			f.allow(allowed)
			f.check(t, allowed)
		}
		// The end: everybody is there and approves.
		f.away = map[string]bool{}
		f.release.Spec.Rejected, f.release.Spec.RollbackTo = nil, ""
		f.release.Spec.Attempt = 100
		f.release.Spec.Mode = v1alpha1.ModeRun
		for _, name := range []string{"member1", "member2", "member3"} {
			f.assigned[name] = 3
		}
		f.karmada()
		for _, stage := range stages {
			f.approve(stage.Name, "ann")
		}
		f.settle()
		// What Karmada did not write by itself it is asked for.
		for range 2 * len(stages) {
			f.now = f.now.Add(askAgain)
			f.settle()
		}
		if got := sum(f.count(f.revision())); got != 9 || f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
			t.Fatalf("in the end %d of 9 pods are new: %v, status %+v", got, f.pods, f.release.Status)
		}
	})
}

func (f *fleet) turn(t *rapid.T) {
	member := rapid.SampledFrom([]string{"member1", "member2", "member3"}).Draw(t, "member")
	switch rapid.IntRange(0, 9).Draw(t, "turn") {
	case 0:
		f.push(fmt.Sprintf("web:%d", rapid.IntRange(0, 3).Draw(t, "image")))
	case 1:
		f.assigned[member] = int64(rapid.IntRange(1, 6).Draw(t, "replicas"))
		f.karmada()
	case 2:
		delete(f.assigned, member)
		f.karmada()
	case 3:
		f.away[member] = !f.away[member]
	case 4:
		f.approve(rapid.SampledFrom([]string{"s0", "s1", "s2", "s3"}).Draw(t, "stage"), "ann")
	case 5:
		if f.revision() != f.release.Status.Dispatch.Stable && rapid.Bool().Draw(t, "reject") {
			f.release.Spec.Rejected = []string{f.revision()}
		} else if rapid.Bool().Draw(t, "back") {
			history := f.release.Status.History
			f.release.Spec.Rejected = []string{f.release.Status.Dispatch.Stable}
			f.release.Spec.RollbackTo = history[rapid.IntRange(0, len(history)-1).Draw(t, "to")].Name
		} else {
			f.release.Spec.Rejected = nil
		}
	case 7:
		f.madeAnew()
		f.reconcile()
	case 6:
		f.karmada() // a binding event, for whatever reason
	default:
		f.reconcile()
	}
}

// allow what is open now; what was given stays.
func (f *fleet) allow(allowed map[string]map[string]int64) {
	d := f.release.Status.Dispatch
	grant := func(revision, cluster string, n int64) {
		if allowed[revision] == nil {
			allowed[revision] = map[string]int64{}
		}
		allowed[revision][cluster] = max(allowed[revision][cluster], n)
	}
	for _, cluster := range []string{"member1", "member2", "member3"} {
		grant(d.Stable, cluster, 1000)
		switch n, part := d.Updated[cluster]; {
		case part:
			grant(d.Revision, cluster, int64(n))
		case isAll(d) || slices.Contains(d.Open, cluster):
			grant(d.Revision, cluster, 1000)
		}
	}
}

func (f *fleet) check(t *rapid.T, allowed map[string]map[string]int64) {
	for cluster, pods := range f.pods {
		for revision, n := range pods {
			if n > allowed[revision][cluster] && !f.worn[cluster+revision] {
				t.Fatalf("%s runs %d pods of %s, and %d were opened: %v", cluster, n, revision, allowed[revision][cluster], f.release.Status.Dispatch)
			}
		}
	}
}
