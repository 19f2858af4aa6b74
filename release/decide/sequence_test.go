package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/release/hold"
)

// fleet is a federation in which Works are held by package hold, and members run what their Work says.
type fleet struct {
	t       rapid.TB
	now     time.Time
	release *v1alpha1.Release
	// template as it was last written, with its marks.
	template *unstructured.Unstructured
	records  map[string]*unstructured.Unstructured
	works    map[string]*unstructured.Unstructured
	assigned map[string]int64
	// pods by cluster and revision.
	pods map[string]map[string]int64
	// bad revisions never become ready.
	bad    map[string]bool
	away   map[string]bool
	events []string
	// worn clusters have no older revision to make pods of.
	worn map[string]bool
	// frozen members do not follow their Works.
	frozen bool
}

func newFleet(t rapid.TB, kind string, assigned map[string]int64, stages ...v1alpha1.Stage) *fleet {
	f := &fleet{
		t: t, now: time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC), assigned: assigned,
		records: map[string]*unstructured.Unstructured{}, works: map[string]*unstructured.Unstructured{}, pods: map[string]map[string]int64{},
		bad: map[string]bool{}, away: map[string]bool{}, worn: map[string]bool{},
		release: &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", Generation: 1},
			Spec: v1alpha1.ReleaseSpec{
				Stages: append(stages, v1alpha1.Stage{Name: "all"}), OnFailure: v1alpha1.OnFailurePause, ProgressDeadlineSeconds: 600,
				Mode: v1alpha1.ModeRun, Unreachable: v1alpha1.UnreachableWait, Attempt: 1,
			},
		},
	}
	apiVersion := "apps/v1"
	if kind == "CloneSet" {
		apiVersion = "apps.kruise.io/v1alpha1"
	}
	f.template = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": "web", "namespace": "shop"}, "spec": map[string]any{},
	}}
	for name := range assigned {
		f.pods[name] = map[string]int64{}
	}
	return f
}

// push writes a template, as anybody does; the admission stamps it.
func (f *fleet) push(image string) string {
	f.t.Helper()
	if err := unstructured.SetNestedField(f.template.Object, image, "spec", "template", "spec", "image"); err != nil {
		f.t.Fatal(err)
	}
	f.admit()
	f.karmada()
	return f.revision()
}

func (f *fleet) revision() string {
	revision, err := hold.Revision(f.template)
	if err != nil {
		f.t.Fatal(err)
	}
	return revision
}

func (f *fleet) admit() {
	if f.template.GetLabels()[v1alpha1.LabelStaged] != "" {
		hold.Stamp(f.template, f.release.Name, f.release.Status.Dispatch, f.revision())
	}
}

// karmada writes every Work, held by the admission, and the members follow.
func (f *fleet) karmada() {
	f.t.Helper()
	for _, cluster := range slices.Sorted(maps.Keys(f.assigned)) {
		rendered := f.template.DeepCopy()
		if err := unstructured.SetNestedField(rendered.Object, f.assigned[cluster], "spec", "replicas"); err != nil {
			f.t.Fatal(err)
		}
		f.works[cluster] = f.dispatched(cluster, rendered)
		if !f.away[cluster] && !f.frozen {
			f.member(cluster)
		}
	}
	for cluster := range f.works {
		if _, ok := f.assigned[cluster]; !ok {
			delete(f.works, cluster)
			delete(f.pods, cluster)
		}
	}
}

func (f *fleet) dispatched(cluster string, rendered *unstructured.Unstructured) *unstructured.Unstructured {
	f.t.Helper()
	marks := rendered.GetAnnotations()
	if !hold.Staged(rendered) || marks[v1alpha1.AnnotationOpen] == v1alpha1.OpenAll {
		return rendered
	}
	work := hold.Work{Cluster: cluster, New: rendered, Old: f.works[cluster]}
	want, err := hold.Choose(work)
	if err != nil {
		f.t.Fatal(err)
	}
	recording := hold.Recording{}
	if want.From == hold.Recorded {
		record, ok := f.records[want.Revision]
		if !ok {
			f.t.Fatalf("%s wants revision %s, which nobody recorded", cluster, want.Revision)
		}
		recording = hold.Recording{Object: record, Generation: "1"}
	}
	out, err := hold.Compose(work, want, recording)
	if err != nil {
		f.t.Fatal(err)
	}
	// The lock of the API server.
	have := out.GetAnnotations()
	open := strings.Split(have[v1alpha1.AnnotationOpen], ",")
	sameAsOld := work.Old != nil && work.Old.GetAnnotations()[v1alpha1.AnnotationRevision] == have[v1alpha1.AnnotationRevision]
	if have[v1alpha1.AnnotationRevision] != have[v1alpha1.AnnotationStable] && !sameAsOld && !slices.Contains(open, cluster) {
		f.t.Fatalf("the lock refuses revision %s in %s: %v", have[v1alpha1.AnnotationRevision], cluster, have)
	}
	return out
}

// member runs what its Work says, as CloneSet does: beyond the partition pods are of the new revision, the others stay what they are.
func (f *fleet) member(cluster string) {
	work := f.works[cluster]
	revision, err := hold.Revision(work)
	if err != nil {
		f.t.Fatal(err)
	}
	replicas, _, _ := unstructured.NestedInt64(work.Object, "spec", "replicas")
	partition, _, _ := unstructured.NestedInt64(work.Object, "spec", "updateStrategy", "partition")
	pods := f.pods[cluster]
	if pods == nil {
		pods = map[string]int64{}
		f.pods[cluster] = pods
	}
	total := int64(0)
	for _, n := range pods {
		total += n
	}
	if total == 0 {
		partition = 0 // OpenKruise gives a new object no pods of an older revision.
	}
	updated := min(max(replicas-partition, pods[revision]), replicas)
	left := replicas - updated
	next := map[string]int64{revision: updated}
	for _, old := range slices.Sorted(maps.Keys(pods)) {
		if old != revision {
			next[old] = min(pods[old], left)
			left -= next[old]
		}
	}
	if total > 0 && left > 0 {
		// Scaled down to what is open, a cluster has no pod of an older revision left, and OpenKruise makes further ones of the newer: a limit.
		f.worn[cluster+revision] = true
	}
	next[revision] += left
	maps.DeleteFunc(next, func(_ string, n int64) bool { return n == 0 })
	f.pods[cluster] = next
}

func (f *fleet) world() World {
	w := World{Now: f.now, Release: f.release.DeepCopy(), Template: &Template{
		Revision: f.revision(), Marked: f.template.GetLabels()[v1alpha1.LabelStaged] == f.release.Name,
	}}
	for _, name := range slices.Sorted(maps.Keys(f.assigned)) {
		c := Cluster{Name: name, Replicas: f.assigned[name]}
		if f.away[name] {
			c.Unreachable = "no route to host"
		}
		if work := f.works[name]; work != nil {
			c.Work = f.reported(name, work)
		}
		w.Clusters = append(w.Clusters, c)
	}
	return w
}

func (f *fleet) reported(name string, work *unstructured.Unstructured) *Work {
	revision, err := hold.Revision(work)
	if err != nil {
		f.t.Fatal(err)
	}
	out := &Work{Revision: work.GetAnnotations()[v1alpha1.AnnotationRevision], Observed: !f.away[name], Healthy: true}
	if text, ok := work.GetAnnotations()[v1alpha1.AnnotationShare]; ok {
		n := int64(0)
		if _, err := fmt.Sscan(text, &n); err != nil {
			f.t.Fatal(err)
		}
		out.Share = &n
	}
	out.Desired, _, _ = unstructured.NestedInt64(work.Object, "spec", "replicas")
	for of, n := range f.pods[name] {
		if of == revision {
			out.Updated += n
		}
		if !f.bad[of] {
			out.Ready += n
		}
	}
	return out
}

// reconcile once: decide, record, write the status, stamp, and let Karmada render.
func (f *fleet) reconcile() Decision {
	f.t.Helper()
	d := Next(f.world())
	if d.Record {
		f.records[f.revision()] = hold.Record(f.template)
	}
	f.release.Status = d.Status
	if hold.Stamp(f.template, f.release.Name, d.Status.Dispatch, f.revision()) {
		f.karmada()
	}
	for _, e := range d.Events {
		f.events = append(f.events, e.Reason)
	}
	return d
}

// settle reconciles until nothing changes, time standing still.
func (f *fleet) settle() {
	f.t.Helper()
	for range 50 {
		before := f.release.Status.DeepCopy()
		f.reconcile()
		if cmp.Equal(before, &f.release.Status) {
			return
		}
	}
	f.t.Fatal("it does not settle")
}

func (f *fleet) is(condition string) metav1.ConditionStatus {
	if c := meta.FindStatusCondition(f.release.Status.Conditions, condition); c != nil {
		return c.Status
	}
	return ""
}

func (f *fleet) count(revision string) map[string]int64 {
	out := map[string]int64{}
	for cluster, pods := range f.pods {
		if n := pods[revision]; n > 0 {
			out[cluster] = n
		}
	}
	return out
}

func (f *fleet) approve(stage, user string) {
	f.release.Spec.Approvals = append(f.release.Spec.Approvals, v1alpha1.Approval{Revision: f.revision(), Stage: stage, User: user})
}

func number(n int) *intstr.IntOrString { out := intstr.FromInt(n); return &out }

func names(names ...string) *v1alpha1.ClusterSelection {
	return &v1alpha1.ClusterSelection{Names: names}
}

func sum(counts map[string]int64) int64 {
	out := int64(0)
	for _, n := range counts {
		out += n
	}
	return out
}

// TestOneTwoTwoFive is the story the design begins with: ten replicas over three members go out as 1, 2, 2, 5, with an approval between.
func TestOneTwoTwoFive(t *testing.T) {
	f := newFleet(t, "CloneSet", map[string]int64{"member1": 4, "member2": 3, "member3": 3},
		v1alpha1.Stage{Name: "one", Updated: number(1), Gates: v1alpha1.Gates{Approvals: 2}},
		v1alpha1.Stage{Name: "three", Updated: number(3), Gates: v1alpha1.Gates{Approvals: 1}},
		v1alpha1.Stage{Name: "five", Updated: number(5), Gates: v1alpha1.Gates{Approvals: 1}},
	)
	f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	if got := sum(f.count(r2)); got != 0 {
		t.Fatalf("%d pods of a revision nobody opened", got)
	}
	for _, step := range []struct {
		approve string
		people  []string
		want    int64
	}{
		{want: 1}, {"one", []string{"ann"}, 1}, {"one", []string{"ann"}, 1}, {"one", []string{"bob"}, 3}, {"three", []string{"ann"}, 5},
		{"five", []string{"ann"}, 10},
	} {
		for _, user := range step.people {
			f.approve(step.approve, user)
		}
		f.settle()
		if got := sum(f.count(r2)); got != step.want {
			t.Fatalf("after %q by %v: %d pods of the new revision, want %d (%v)", step.approve, step.people, got, step.want, f.pods)
		}
	}
	if f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue || f.release.Status.Dispatch.Stable != r2 {
		t.Errorf("status %+v", f.release.Status)
	}
	want := []string{"Adopted", "Complete", "NewRevision", "StageOpened", "StageDone", "AwaitingApproval", "StageOpened", "StageDone",
		"AwaitingApproval", "StageOpened", "StageDone", "AwaitingApproval", "StageOpened", "StageDone", "Complete"}
	if diff := cmp.Diff(want, f.events); diff != "" {
		t.Errorf("events (-want +have):\n%s", diff)
	}
}

// TestABadRevisionStopsInTheFirst cluster, goes back by itself, and the others never saw it.
func TestABadRevisionStopsInTheFirst(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2, "member3": 2}, v1alpha1.Stage{Name: "canary",
		Clusters: names("member1")},
		v1alpha1.Stage{Name: "second", Clusters: names("member2")})
	f.release.Spec.OnFailure = v1alpha1.OnFailureRollback
	r1 := f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.bad[r2] = true
	f.settle()
	if diff := cmp.Diff(map[string]int64{"member1": 2}, f.count(r2)); diff != "" {
		t.Fatalf("pods of the bad revision (-want +have):\n%s", diff)
	}
	f.now = f.now.Add(11 * time.Minute)
	f.settle()
	if got := f.count(r1); sum(got) != 6 || f.is(v1alpha1.ConditionRolledBack) != metav1.ConditionTrue {
		t.Fatalf("pods of the stable revision: %v, status %+v", got, f.release.Status)
	}
	// GitOps applies the same again, for ever.
	for range 3 {
		f.push("web:2")
		f.settle()
	}
	if got := sum(f.count(r2)); got != 0 {
		t.Fatalf("%d pods of the rejected revision", got)
	}
	// A person tries again, now that it is good.
	f.bad = map[string]bool{}
	f.release.Spec.Attempt++
	f.settle()
	if got := f.count(r2); sum(got) != 6 {
		t.Errorf("pods after another attempt: %v", got)
	}
}

func TestPutBackEndsIt(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1"),
		Gates: v1alpha1.Gates{Approvals: 1}})
	r1 := f.push("web:1")
	f.settle()
	f.push("web:2")
	f.settle()
	f.push("web:1")
	f.settle()
	if got := f.count(r1); sum(got) != 4 || f.is(v1alpha1.ConditionComplete) != metav1.ConditionTrue {
		t.Errorf("pods %v, status %+v", got, f.release.Status)
	}
}

func TestASecondPushInTheMiddle(t *testing.T) {
	f := newFleet(t, "CloneSet", map[string]int64{"member1": 3, "member2": 3}, v1alpha1.Stage{Name: "some", Updated: number(2),
		Gates: v1alpha1.Gates{Approvals: 1}})
	r1 := f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.settle()
	f.frozen = true // so that what the Works say is looked at, not what members made of it
	r3 := f.push("web:3")
	for cluster, work := range f.works {
		if got := work.GetAnnotations()[v1alpha1.AnnotationRevision]; got != r2 {
			t.Errorf("%s has %s, want to stay at %s", cluster, got, r2)
		}
		if got := work.GetAnnotations()[v1alpha1.AnnotationShare]; got != "1" {
			t.Errorf("%s has share %q of the revision in between", cluster, got)
		}
	}
	f.frozen = false
	f.settle()
	if got := f.count(r3); sum(got) != 2 {
		t.Errorf("pods of the third: %v of %v, first %s", got, f.pods, r1)
	}
}

// TestStops are states in which nothing further is opened, each with the condition that says why.
func TestStops(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare   func(*fleet)
		after     time.Duration
		condition string
		reason    string
		want      int64
	}{
		"paused": {func(f *fleet) { f.release.Spec.Mode = v1alpha1.ModePause }, 0, v1alpha1.ConditionProgressing,
			v1alpha1.ReasonPaused, 0},
		"away": {func(f *fleet) { f.away["member1"] = true }, time.Hour, v1alpha1.ConditionStalled,
			v1alpha1.ReasonClusterUnreachable, 0},
		"away, and skip": {func(f *fleet) { f.away["member1"], f.release.Spec.Unreachable = true, v1alpha1.UnreachableSkip }, 0,
			v1alpha1.ConditionComplete, v1alpha1.ReasonComplete, 2},
		"soak": {func(f *fleet) { f.release.Spec.Stages[0].Gates.SoakSeconds = 60 }, 59 * time.Second, v1alpha1.ConditionProgressing,
			v1alpha1.ReasonSoaking, 2},
		"soaked": {func(f *fleet) { f.release.Spec.Stages[0].Gates.SoakSeconds = 60 }, time.Minute, v1alpha1.ConditionComplete,
			v1alpha1.ReasonComplete, 4},
		"bad, and pause": {func(f *fleet) { f.bad[f.revision()] = true }, 11 * time.Minute, v1alpha1.ConditionStalled,
			v1alpha1.ReasonDeadlineExceeded, 2},
		"no such cluster": {func(f *fleet) { f.release.Spec.Stages[0].Clusters = names("member9") }, 0, v1alpha1.ConditionStalled,
			v1alpha1.ReasonStageEmpty, 0},
		"promoted": {func(f *fleet) { f.release.Spec.Promoted, f.bad["x"] = f.revision(), true }, 0, v1alpha1.ConditionComplete,
			v1alpha1.ReasonComplete, 4},
		"scaled to zero": {func(f *fleet) { f.assigned = map[string]int64{} }, 0, v1alpha1.ConditionStalled, v1alpha1.ReasonStageEmpty, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1")})
			f.push("web:1")
			f.settle()
			r2 := f.push("web:2")
			tc.prepare(f)
			f.karmada()
			f.settle()
			f.now = f.now.Add(tc.after)
			f.settle()
			c := meta.FindStatusCondition(f.release.Status.Conditions, tc.condition)
			if c == nil || c.Reason != tc.reason {
				t.Errorf("condition %s is %+v, want %s", tc.condition, c, tc.reason)
			}
			if got := f.count(r2); sum(got) != tc.want {
				t.Errorf("pods of the new revision %v, want %d", got, tc.want)
			}
		})
	}
}

// TestDeletedWhileHeld: held stays held, promoting lets go.
func TestDeletedWhileHeld(t *testing.T) {
	f := newFleet(t, "Deployment", map[string]int64{"member1": 2, "member2": 2}, v1alpha1.Stage{Name: "canary", Clusters: names("member1"),
		Gates: v1alpha1.Gates{Approvals: 1}})
	f.push("web:1")
	f.settle()
	r2 := f.push("web:2")
	f.settle()
	at := metav1.NewTime(f.now)
	f.release.DeletionTimestamp = &at
	if d := f.reconcile(); d.Free || sum(f.count(r2)) != 2 {
		t.Fatalf("freed %v, pods %v", d.Free, f.pods)
	}
	if c := meta.FindStatusCondition(f.release.Status.Conditions, v1alpha1.ConditionProgressing); c.Reason != v1alpha1.ReasonHeld {
		t.Errorf("condition %+v", c)
	}
	f.release.Spec.Promoted = r2
	f.reconcile()
	f.reconcile()
	if d := f.reconcile(); !d.Free || sum(f.count(r2)) != 4 {
		t.Errorf("freed %v, pods %v", d.Free, f.pods)
	}
}

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
		f.release.Spec.Rejected = nil
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
	switch rapid.IntRange(0, 8).Draw(t, "turn") {
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
		} else {
			f.release.Spec.Rejected = nil
		}
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
