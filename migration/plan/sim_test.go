package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// reporter is what *testing.T and *rapid.T have in common.
type reporter interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
}

// federation is a small model of Karmada 1.16: each of its controllers is one reaction that may run at any
// time or not yet, so that every interleaving the asynchronous original allows can be tried.
type federation struct {
	t      reporter
	now    time.Time
	app    Ref
	entry  *v1alpha1.WhitelistEntry
	spec   v1alpha1.MigrationSpec
	status v1alpha1.MigrationStatus
	turn   Turn
	mode   v1alpha1.Mode
	onFail v1alpha1.OnFailure
	freeze []gatev1alpha1.FreezeWindow
	// conflict is a second whitelist that lists the application.
	conflict string
	need     int
	members  map[string]*member
	control  Control
	works    map[string]map[Ref]*Work
	// scaler is the Work of FedHPA's autoscaler in each cluster; nil when there is none.
	scaler *Work
	uid    int
	// deletedInMember and restarted are what must stay empty for ever.
	deletedInMember []string
	restarted       []string
	neighbours      map[string]Neighbour
	home            Home
	// spoil changes what a member answers to a dry run.
	spoil func(cluster string, ref Ref, run DryRun) DryRun
	// tireless asks for another attempt after every failure.
	tireless bool
	// unseen is a field of a template that Karmada's watch did not see, until the template changes.
	unseen map[Ref]string
	// saved is an object a test took out of a member.
	saved *unstructured.Unstructured
	// expected is the content the owners last released to each member; Karmada must never change it.
	expected map[string]string
}

type member struct {
	objects map[Ref]*unstructured.Unstructured
	pods    []Pod
	down    bool
	ready   bool
	// leaving while it is being unjoined.
	leaving bool
	// since is when Karmada's opinion of it last changed.
	since time.Time
	kinds map[string]bool
	// tainted NoExecute.
	tainted bool
	// unwell is what Prometheus says of the application there.
	unwell string
	// agent is nil where karmada-controller-manager carries Works out.
	agent *agent
}

func object(t reporter, text string) *unstructured.Unstructured {
	t.Helper()
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: out}
}

var servedKinds = map[string]bool{
	"apps/v1/Deployment": true, "apps.kruise.io/v1alpha1/CloneSet": true, "v1/ConfigMap": true, "v1/Secret": true,
	"v1/Service": true, "autoscaling/v2/HorizontalPodAutoscaler": true,
}

// newFederation with a Deployment "web" of 6 pods in cluster a and 4 in b, whose ConfigMaps differ.
func newFederation(t reporter) *federation {
	f := &federation{
		t: t, now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
		app:     Ref{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
		turn:    Turn{Prepare: true, Open: true, Batch: "1/1"},
		mode:    v1alpha1.ModeRun,
		onFail:  v1alpha1.OnFailureRollback,
		members: map[string]*member{},
		works:   map[string]map[Ref]*Work{},
		control: Control{
			Kinds: servedKinds, Templates: map[Ref]*unstructured.Unstructured{},
			Policies:  map[string]*policyv1alpha1.PropagationPolicy{},
			Overrides: map[string]*policyv1alpha1.OverridePolicy{},
			Bindings:  map[Ref]*workv1alpha2.ResourceBinding{},
		},
		expected: map[string]string{},
	}
	f.spec.APIVersion, f.spec.Kind, f.spec.Name = f.app.APIVersion, f.app.Kind, f.app.Name
	f.whitelist()
	for name, replicas := range map[string]int{"a": 6, "b": 4} {
		f.members[name] = &member{objects: map[Ref]*unstructured.Unstructured{}, ready: true, kinds: servedKinds}
		f.works[name] = map[Ref]*Work{}
		f.put(name, fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment,
			metadata: {name: web, namespace: shop, annotations: {deployment.kubernetes.io/revision: "3"}},
  spec: {replicas: %d, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web},
    annotations: {kubectl.kubernetes.io/restartedAt: "2025-01-01"}},
  spec: {containers: [{name: web, image: "web:1", envFrom: [{configMapRef: {name: web}}, {secretRef: {name: web}}]}]}}}}`, replicas))
		f.put(name, fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: "eu-%s", shared: x}}`,
			name))
		f.put(name, `{apiVersion: v1, kind: Secret, metadata: {name: web, namespace: shop}, data: {key: c2VjcmV0}}`)
		f.put(name,
			`{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop},
				spec: {selector: {app: web}, ports: [{port: 80}], clusterIP: 10.0.0.1}}`)
		f.startPods(name)
	}
	return f
}

func (f *federation) whitelist() {
	f.entry = &v1alpha1.WhitelistEntry{Namespace: "shop", Environment: v1alpha1.EnvironmentTest,
		WorkloadReference: v1alpha1.WorkloadReference{APIVersion: f.app.APIVersion, Kind: f.app.Kind, Name: f.app.Name}}
}

// put a static release of an object straight into a member.
func (f *federation) put(cluster, text string) {
	f.t.Helper()
	f.write(cluster, object(f.t, text))
	f.expect(cluster)
}

func (f *federation) write(cluster string, next *unstructured.Unstructured) {
	ref := policy.RefOf(next)
	old := f.members[cluster].objects[ref]
	next = next.DeepCopy()
	if old == nil {
		f.uid++
		next.SetUID(types.UID(fmt.Sprintf("uid-%d", f.uid)))
		next.SetGeneration(1)
	} else {
		next.SetUID(old.GetUID())
		next.SetGeneration(old.GetGeneration() + 1)
		if before, after := templateHash(old), templateHash(next); policy.Supported(ref.APIVersion, ref.Kind) && before != after {
			f.restarted = append(f.restarted, cluster+": pod template changed")
			f.startPodsOf(cluster, next)
		}
	}
	if policy.Supported(ref.APIVersion, ref.Kind) {
		replicas, _ := policy.Replicas(next)
		next.Object["status"] = map[string]any{
			"observedGeneration": next.GetGeneration(), "replicas": int64(replicas), "updatedReplicas": int64(replicas),
		}
	}
	f.members[cluster].objects[ref] = next
}

func (f *federation) startPods(cluster string) {
	f.startPodsOf(cluster, f.members[cluster].objects[f.app])
}

func (f *federation) startPodsOf(cluster string, workload *unstructured.Unstructured) {
	f.members[cluster].pods = nil
	replicas, _ := policy.Replicas(workload)
	for i := range int(replicas) {
		f.uid++
		f.members[cluster].pods = append(f.members[cluster].pods, Pod{
			Name: fmt.Sprintf("web-%d", i), UID: fmt.Sprintf("uid-%d", f.uid), Ready: true, Revision: templateHash(workload),
		})
	}
}

// expect remembers what a member holds as its owners want it.
func (f *federation) expect(cluster string) { f.expected[cluster] = f.content(cluster) }

// content of a member without bookkeeping, as text.
func (f *federation) content(cluster string) string {
	var lines []string
	for _, held := range f.members[cluster].objects {
		cleaned := policy.Template(held)
		labels := cleaned.GetLabels()
		for _, key := range []string{v1alpha1.LabelManagedBy} {
			delete(labels, key)
		}
		if len(labels) == 0 {
			labels = nil
		}
		cleaned.SetLabels(labels)
		raw, err := json.Marshal(cleaned.Object)
		if err != nil {
			f.t.Fatal(err)
		}
		lines = append(lines, string(raw))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// world as the gather step would see it.
func (f *federation) world() World {
	w := World{
		Now: f.now, Owner: "deployment-web", Namespace: "shop", Spec: *f.spec.DeepCopy(), Status: *f.status.DeepCopy(),
		Entry: f.entry, Whitelist: "all", Mode: f.mode, Turn: f.turn, Control: f.control, Clusters: map[string]Cluster{},
		Neighbours: f.neighbours, Conflict: f.conflict, Home: f.home,
		Strategy: Strategy{Soak: 5 * time.Minute, StepTimeout: 10 * time.Minute, Approvals: f.need, OnFailure: f.onFail, Freeze: f.freeze,
			MaxUnavailable: func(int32) int32 { return 0 },
			Terms:          v1alpha1.MigrationStrategy{RequiredApprovals: ptr.To(int32(f.need)), FreezeWindows: f.freeze}},
	}
	for name, m := range f.members {
		m.notice(f.now)
		cluster := Cluster{
			Joined: !m.leaving, Leaving: m.leaving, Ready: m.ready, ReadySince: m.since, Pull: m.agent != nil, Kinds: m.kinds, Works: map[Ref]Work{},
			DryRuns: map[Ref]DryRun{}, Unwell: m.unwell,
		}
		for ref, work := range f.works[name] {
			cluster.Works[ref] = *work
		}
		if f.scaler != nil {
			cluster.Scalers = map[string]Work{"the autoscaler of FedHPA web": *f.scaler}
		}
		if m.down {
			cluster.Unreachable = "connection refused"
			w.Clusters[name] = cluster
			continue
		}
		for _, ref := range sortedRefs(m.objects) {
			cluster.Objects = append(cluster.Objects, m.objects[ref].DeepCopy())
		}
		cluster.Pods = append(cluster.Pods, m.pods...)
		for ref, work := range f.works[name] {
			if live := m.objects[ref]; live != nil && work.Manifest != nil {
				cluster.DryRuns[ref] = DryRun{Live: live.DeepCopy(), Result: applied(live, work.Manifest)}
				if f.spoil != nil {
					cluster.DryRuns[ref] = f.spoil(name, ref, cluster.DryRuns[ref])
				}
			}
		}
		w.Clusters[name] = cluster
	}
	return w
}

func sortedRefs[V any](from map[Ref]V) []Ref {
	return slices.SortedFunc(maps.Keys(from), func(a, b Ref) int { return strings.Compare(a.Kind+a.Name, b.Kind+b.Name) })
}

// applied is what Karmada's PUT leaves: the manifest, with the member's own metadata and cluster IP kept.
func applied(live, manifest *unstructured.Unstructured) *unstructured.Unstructured {
	out := manifest.DeepCopy()
	labels, annotations := maps.Clone(live.GetLabels()), maps.Clone(live.GetAnnotations())
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	// Karmada records which metadata it brought, and takes it off again when the manifest has it no longer.
	brought := func(key string, _ string) bool {
		return ourMark(key) || key == "resourcetemplate.karmada.io/deletion-protected"
	}
	maps.DeleteFunc(labels, brought)
	maps.DeleteFunc(annotations, brought)
	maps.Copy(labels, manifest.GetLabels())
	maps.Copy(annotations, manifest.GetAnnotations())
	out.SetLabels(labels)
	out.SetAnnotations(annotations)
	out.SetUID(live.GetUID())
	out.SetGeneration(live.GetGeneration())
	if ip, ok, _ := unstructured.NestedString(live.Object, "spec", "clusterIP"); ok {
		_ = unstructured.SetNestedField(out.Object, ip, "spec", "clusterIP")
	}
	if manifest.GetLabels()["resourcetemplate.karmada.io/retain-replicas"] == "true" {
		if replicas, ok, _ := unstructured.NestedFieldCopy(live.Object, "spec", "replicas"); ok {
			_ = unstructured.SetNestedField(out.Object, replicas, "spec", "replicas")
		}
	}
	if status, ok := live.Object["status"]; ok {
		out.Object["status"] = status
	}
	return out
}

// invariants hold at every moment of every run.
func (f *federation) invariants() {
	f.t.Helper()
	if len(f.deletedInMember) > 0 {
		f.t.Fatalf("deleted in members: %v", f.deletedInMember)
	}
	if len(f.restarted) > 0 {
		f.t.Fatalf("restarted: %v", f.restarted)
	}
	if f.status.Management == v1alpha1.ManagementStatic || f.status.Phase == v1alpha1.PhaseCutOff {
		for name := range f.works {
			for ref, work := range f.works[name] {
				if template := f.control.Templates[ref]; !work.silent() && template != nil {
					f.t.Fatalf("managed: %s in phase %s, and %s is dispatched to %s: %+v", f.status.Management, f.status.Phase, ref.Name, name, work)
				}
			}
		}
	}
	for name := range f.members {
		if got := f.content(name); got != f.expected[name] {
			f.t.Fatalf("cluster %s is not as its owners left it:\nwant %s\ngot  %s", name, f.expected[name], got)
		}
	}
}

// approve the plan as two people would.
func (f *federation) approve(users ...string) {
	if f.status.Plan == nil {
		f.t.Fatal("there is no plan to approve")
	}
	for _, user := range users {
		now := metav1.NewTime(f.now)
		f.spec.Approvals = append(f.spec.Approvals, v1alpha1.Approval{PlanHash: f.status.Plan.Hash, User: user, Time: &now})
	}
}

// settle runs planner and Karmada in turn until nothing moves, or the phase is reached.
func (f *federation) settle(until v1alpha1.Phase) {
	f.t.Helper()
	for range 200 {
		f.step(-1)
		for _, reaction := range reactions {
			reaction.run(f)
		}
		f.invariants()
		f.now = f.now.Add(15 * time.Second)
		if f.status.Phase == until {
			return
		}
		if failure := f.status.Failure; f.tireless && failure != nil {
			f.spec.Attempt = failure.Attempt + 1
		}
	}
	f.t.Fatalf("phase %s is not reached: stands at %s, %+v", until, f.status.Phase, f.status.Conditions)
}
