package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// ran says which clusters have followed the Work they have, since it was made.
	ran map[string]bool
	// frozen members do not follow their Works.
	frozen bool
	// gates are what the Prometheus queries answer.
	gates *Gates
	// config goes out with the template; nil for none.
	config  *unstructured.Unstructured
	configs map[string]*unstructured.Unstructured
	// migrating is the phase of a Migration.
	migrating string
	// anew are open clusters whose Work was made anew, which come beside their config's: a limit (docs/concepts/release.md).
	anew map[string]bool
	// hookless: argosy-webhook is away, so that no mark and no Work is written.
	hookless bool
	// unjudged: nobody tells Karmada whether what members report is healthy.
	unjudged bool
	// untold: members do not say of which revision they report.
	untold bool
	// surging: members take no replica away before a new one is ready, as a Deployment of one replica does.
	surging bool
	// slow clusters get no Work of the config.
	slow map[string]bool
	// refusals of the config by cluster, and those that were not given it yet.
	refusals map[string]string
	notGiven map[string]bool
}

func newFleet(t rapid.TB, kind string, assigned map[string]int64, stages ...v1alpha1.Stage) *fleet {
	f := &fleet{
		t: t, now: time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC), assigned: assigned,
		records: map[string]*unstructured.Unstructured{}, works: map[string]*unstructured.Unstructured{}, pods: map[string]map[string]int64{},
		bad: map[string]bool{}, away: map[string]bool{}, worn: map[string]bool{}, slow: map[string]bool{}, anew: map[string]bool{},
		ran: map[string]bool{}, configs: map[string]*unstructured.Unstructured{},
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

// configure writes the config, as anybody does.
func (f *fleet) configure(value string) string {
	f.t.Helper()
	if f.config == nil {
		f.release.Spec.With = []v1alpha1.WithReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "web"}}
		f.config = &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "web", "namespace": "shop"},
		}}
	}
	f.config.Object["data"] = map[string]any{"value": value}
	f.admit()
	f.karmada()
	return f.revision()
}

// revision of all that is released.
func (f *fleet) revision() string {
	revision, _ := f.identity()
	return revision
}

func (f *fleet) identity() (string, map[string]string) {
	target := f.content(f.template)
	if f.config == nil {
		return target, nil
	}
	config := f.content(f.config)
	return hold.Whole(target, map[string]string{hold.Key(f.config): config}),
		map[string]string{hold.Key(f.template): target, hold.Key(f.config): config}
}

func (f *fleet) content(object *unstructured.Unstructured) string {
	f.t.Helper()
	content, err := hold.Revision(object)
	if err != nil {
		f.t.Fatal(err)
	}
	return content
}

func (f *fleet) objects() []*unstructured.Unstructured {
	if f.config == nil {
		return []*unstructured.Unstructured{f.template}
	}
	return []*unstructured.Unstructured{f.config, f.template}
}

func (f *fleet) admit() {
	for _, object := range f.objects() {
		if object.GetLabels()[v1alpha1.LabelStaged] != "" {
			dispatch := f.release.Status.Dispatch
			if dispatch == nil {
				dispatch = hold.OfMarks(object)
			}
			hold.Stamp(object, f.release.Name, dispatch, f.content(object))
		}
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
		if f.config != nil && !f.slow[cluster] {
			f.configs[cluster] = f.dispatched(cluster, f.config.DeepCopy(), f.configs[cluster])
		}
		before := f.works[cluster]
		f.works[cluster] = f.dispatched(cluster, rendered, before)
		f.configFirst(cluster, before)
		if !f.away[cluster] && !f.frozen {
			f.member(cluster)
		}
	}
	for cluster := range f.works {
		if _, ok := f.assigned[cluster]; !ok {
			delete(f.works, cluster)
			delete(f.configs, cluster)
			delete(f.pods, cluster)
			delete(f.ran, cluster)
		}
	}
}

// configFirst: a cluster that was given a revision that is not the stable one has that revision's config already. A Work that is made anew
// where the cluster is open comes beside the config's; under a number it has the stable revision first, and the one that is open with the
// next write.
func (f *fleet) configFirst(cluster string, before *unstructured.Unstructured) {
	f.t.Helper()
	marks := f.works[cluster].GetAnnotations()
	revision := marks[v1alpha1.AnnotationRevision]
	config := f.configs[cluster]
	has := config != nil && config.GetAnnotations()[v1alpha1.AnnotationRevision] == revision
	switch {
	case before == nil:
		f.anew[cluster] = slices.Contains(strings.Split(marks[v1alpha1.AnnotationOpen], ","), cluster)
	case has && revision != marks[v1alpha1.AnnotationStable]:
		f.anew[cluster] = false
	}
	if f.config == nil || revision == "" || revision == marks[v1alpha1.AnnotationStable] || f.anew[cluster] ||
		before == nil || before.GetAnnotations()[v1alpha1.AnnotationRevision] == revision {
		return
	}
	if !has {
		f.t.Fatalf("%s has revision %s of the template, and of the config %v", cluster, revision, config)
	}
}

// dispatched is a manifest as the admission lets Karmada write it.
func (f *fleet) dispatched(cluster string, rendered, old *unstructured.Unstructured) *unstructured.Unstructured {
	f.t.Helper()
	marks := rendered.GetAnnotations()
	if !hold.Staged(rendered) || marks[v1alpha1.AnnotationOpen] == v1alpha1.OpenAll {
		return rendered
	}
	work := hold.Work{Cluster: cluster, New: rendered, Old: old, Ran: f.ran[cluster]}
	want, err := hold.Choose(work)
	if err != nil {
		f.t.Fatal(err)
	}
	recording := hold.Recording{}
	if want.From == hold.Recorded {
		record, ok := f.records[want.Revision+" "+hold.Key(rendered)]
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
	f.ran[cluster] = true
	work := f.works[cluster]
	revision := f.content(work)
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
	revision, contents := f.identity()
	w := World{Now: f.now, Release: f.release.DeepCopy(), Gates: f.gates, Migrating: f.migrating, Template: &Template{
		Revision: revision, Contents: contents, Marked: !slices.ContainsFunc(f.objects(), func(o *unstructured.Unstructured) bool {
			return o.GetLabels()[v1alpha1.LabelStaged] != f.release.Name
		}), Bound: slices.ContainsFunc(f.objects(), hold.Bound),
	}}
	if marks := hold.OfMarks(f.template); marks != nil && f.release.Status.Dispatch == nil {
		w.Template.Before = &Before{Stable: marks.Stable, Rejected: marks.Rejected}
		if f.records[marks.Stable+" "+hold.Key(f.template)] != nil {
			w.Template.Before.Record = &v1alpha1.Revision{Name: marks.Stable}
			w.Template.Before.History = []v1alpha1.Revision{{Name: marks.Stable}}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.assigned)) {
		c := Cluster{Name: name, Replicas: f.assigned[name]}
		if f.away[name] {
			c.Unreachable = "no route to host"
		}
		if work := f.works[name]; work != nil {
			c.Work = f.reported(name, work)
		}
		if f.config != nil {
			with := With{Object: "ConfigMap web"}
			if config := f.configs[name]; config != nil {
				with.Work = &Work{Revision: config.GetAnnotations()[v1alpha1.AnnotationRevision], Bound: hold.Bound(config),
					Refused: f.refusals[name], Taken: f.refusals[name] == "" && !f.notGiven[name]}
			}
			c.With = []With{with}
		}
		w.Clusters = append(w.Clusters, c)
	}
	return w
}

func (f *fleet) reported(name string, work *unstructured.Unstructured) *Work {
	revision := f.content(work)
	out := &Work{Revision: work.GetAnnotations()[v1alpha1.AnnotationRevision], Bound: hold.Bound(work), Observed: !f.away[name] && !f.untold,
		Untold: f.untold, Healthy: !f.unjudged,
		Ran: f.ran[name], Unjudged: f.unjudged}
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
		switch {
		case !f.bad[of]:
			out.Ready += n
		case f.surging:
			out.Ready, out.Old = out.Ready+n, out.Old+n
		}
	}
	return out
}

// reconcile once: decide, record, write the status, stamp, and let Karmada render.
func (f *fleet) reconcile() Decision {
	f.t.Helper()
	d := Next(f.world())
	for _, object := range f.objects() {
		if d.Record {
			f.records[f.revision()+" "+hold.Key(object)] = hold.Record(object)
		}
	}
	f.release.Status = d.Status
	changed := false
	for _, object := range f.objects() {
		if f.hookless || d.Status.Dispatch == nil {
			break
		}
		changed = hold.Stamp(object, f.release.Name, d.Status.Dispatch, f.content(object)) || changed
	}
	if changed {
		f.karmada()
	}
	for _, e := range d.Events {
		f.events = append(f.events, e.Reason)
	}
	return d
}

// madeAnew is a Release of this name whose predecessor's finalizer was taken off by hand: it has a spec, and nothing else.
func (f *fleet) madeAnew() {
	f.release.Status = v1alpha1.ReleaseStatus{}
	f.release.Spec.Approvals, f.release.Spec.Rejected, f.release.Spec.RollbackTo, f.release.Spec.Attempt = nil, nil, "", 1
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
