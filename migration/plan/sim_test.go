package plan

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// federation is a small model of Karmada 1.16: each of its controllers is one reaction that may run at any
// time or not yet, so that every interleaving the asynchronous original allows can be tried.
type federation struct {
	t      testing.TB
	now    time.Time
	app    Ref
	entry  *v1alpha1.WhitelistEntry
	spec   v1alpha1.MigrationSpec
	status v1alpha1.MigrationStatus
	turn   Turn
	mode   v1alpha1.Mode
	onFail v1alpha1.OnFailure
	freeze []v1alpha1.FreezeWindow
	// conflict is a second whitelist that lists the application.
	conflict string
	need     int
	members  map[string]*member
	control  Control
	works    map[string]map[Ref]*Work
	uid      int
	// deletedInMember and restarted are what must stay empty for ever.
	deletedInMember []string
	restarted       []string
	neighbours      map[string]Neighbour
	// expected is the content the owners last released to each member; Karmada must never change it.
	expected map[string]string
}

type member struct {
	objects map[Ref]*unstructured.Unstructured
	pods    []Pod
	down    bool
	ready   bool
	kinds   map[string]bool
}

func object(t testing.TB, text string) *unstructured.Unstructured {
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
func newFederation(t testing.TB) *federation {
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
		f.put(name, fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop, annotations: {deployment.kubernetes.io/revision: "3"}},
  spec: {replicas: %d, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}, annotations: {kubectl.kubernetes.io/restartedAt: "2025-01-01"}},
  spec: {containers: [{name: web, image: "web:1", envFrom: [{configMapRef: {name: web}}, {secretRef: {name: web}}]}]}}}}`, replicas))
		f.put(name, fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: "eu-%s", shared: x}}`, name))
		f.put(name, `{apiVersion: v1, kind: Secret, metadata: {name: web, namespace: shop}, data: {key: c2VjcmV0}}`)
		f.put(name, `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80}], clusterIP: 10.0.0.1}}`)
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
		next.Object["status"] = map[string]any{"observedGeneration": next.GetGeneration(), "replicas": int64(replicas), "updatedReplicas": int64(replicas)}
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
		f.members[cluster].pods = append(f.members[cluster].pods, Pod{Name: fmt.Sprintf("web-%d", i), UID: fmt.Sprintf("uid-%d", f.uid), Ready: true})
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
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// world as the gather step would see it.
func (f *federation) world() World {
	w := World{
		Now: f.now, Owner: "deployment-web", Namespace: "shop", Spec: *f.spec.DeepCopy(), Status: *f.status.DeepCopy(),
		Entry: f.entry, Whitelist: "all", Mode: f.mode, Turn: f.turn, Control: f.control, Clusters: map[string]Cluster{},
		Neighbours: f.neighbours, Conflict: f.conflict,
		Strategy: Strategy{Soak: 5 * time.Minute, StepTimeout: 10 * time.Minute, Approvals: f.need, OnFailure: f.onFail, Freeze: f.freeze,
			MaxUnavailable: func(int32) int32 { return 0 }},
	}
	for name, m := range f.members {
		cluster := Cluster{Joined: true, Ready: m.ready, Kinds: m.kinds, Works: map[Ref]Work{}, DryRuns: map[Ref]DryRun{}}
		for ref, work := range f.works[name] {
			cluster.Works[ref] = *work
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
			}
		}
		w.Clusters[name] = cluster
	}
	return w
}

func sortedRefs[V any](from map[Ref]V) []Ref {
	out := make([]Ref, 0, len(from))
	for ref := range from {
		out = append(out, ref)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Kind+out[i].Name < out[j].Kind+out[j].Name })
	return out
}

// applied is what Karmada's PUT leaves: the manifest, with the member's own metadata and cluster IP kept.
func applied(live, manifest *unstructured.Unstructured) *unstructured.Unstructured {
	out := manifest.DeepCopy()
	labels, annotations := live.GetLabels(), live.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	for key, value := range manifest.GetLabels() {
		labels[key] = value
	}
	for key, value := range manifest.GetAnnotations() {
		annotations[key] = value
	}
	out.SetLabels(labels)
	out.SetAnnotations(annotations)
	out.SetUID(live.GetUID())
	out.SetGeneration(live.GetGeneration())
	if ip, ok, _ := unstructured.NestedString(live.Object, "spec", "clusterIP"); ok {
		_ = unstructured.SetNestedField(out.Object, ip, "spec", "clusterIP")
	}
	if status, ok := live.Object["status"]; ok {
		out.Object["status"] = status
	}
	return out
}

// step lets the planner decide once and carries its decision out, status first. stopAfter cuts the
// controller off after so many writes; below 0 it never is.
func (f *federation) step(stopAfter int) Decision {
	decision := Next(f.world())
	f.status = *decision.Status.DeepCopy()
	for i, action := range decision.Actions {
		if stopAfter >= 0 && i >= stopAfter {
			break
		}
		f.apply(action)
	}
	return decision
}

func (f *federation) apply(action Action) {
	switch action.Verb {
	case WriteOverride:
		f.control.Overrides[action.Over.Name] = action.Over.DeepCopy()
	case WritePolicy:
		f.control.Policies[action.Policy.Name] = action.Policy.DeepCopy()
	case WriteTemplate:
		next := action.Object.DeepCopy()
		if old := f.control.Templates[action.Ref]; old != nil {
			next.SetUID(old.GetUID())
			next.SetGeneration(old.GetGeneration() + 1)
		} else {
			f.uid++
			next.SetUID(types.UID(fmt.Sprintf("template-%d", f.uid)))
			next.SetGeneration(1)
		}
		if action.Ref.Kind == "ConfigMap" || action.Ref.Kind == "Secret" {
			next.SetGeneration(0) // they carry none
		}
		f.control.Templates[action.Ref] = next
	case SetSuspension:
		existing := f.control.Policies[action.Ref.Name].DeepCopy()
		existing.Spec.Suspension, existing.Spec.PreserveResourcesOnDeletion = action.Suspension, ptr.To(true)
		f.control.Policies[action.Ref.Name] = existing
	case SetScheduling:
		binding := f.control.Bindings[action.Ref].DeepCopy()
		if binding.Spec.Suspension == nil {
			binding.Spec.Suspension = &workv1alpha2.Suspension{}
		}
		binding.Spec.Suspension.Scheduling = ptr.To(action.Frozen)
		if len(action.Clusters) > 0 {
			binding.Spec.Clusters = action.Clusters
		}
		f.control.Bindings[action.Ref] = binding
	case Mark:
		f.mark(action)
	case Delete:
		f.delete(action.Ref)
	}
}

func (f *federation) mark(action Action) {
	change := func(from map[string]string, by map[string]*string) map[string]string {
		out := map[string]string{}
		for key, value := range from {
			out[key] = value
		}
		for key, value := range by {
			if value == nil {
				delete(out, key)
			} else {
				out[key] = *value
			}
		}
		return out
	}
	switch action.Ref.Kind {
	case "PropagationPolicy":
		next := f.control.Policies[action.Ref.Name].DeepCopy()
		next.Annotations, next.Labels = change(next.Annotations, action.Annotations), change(next.Labels, action.Labels)
		f.control.Policies[action.Ref.Name] = next
	case "OverridePolicy":
		next := f.control.Overrides[action.Ref.Name].DeepCopy()
		next.Labels = change(next.Labels, action.Labels)
		f.control.Overrides[action.Ref.Name] = next
	default:
		next := f.control.Templates[action.Ref].DeepCopy()
		next.SetAnnotations(change(next.GetAnnotations(), action.Annotations))
		next.SetLabels(change(next.GetLabels(), action.Labels))
		f.control.Templates[action.Ref] = next
	}
}

func (f *federation) delete(ref Ref) {
	switch ref.Kind {
	case "PropagationPolicy":
		delete(f.control.Policies, ref.Name)
	case "OverridePolicy":
		delete(f.control.Overrides, ref.Name)
	default:
		if f.control.Templates[ref].GetLabels()["resourcetemplate.karmada.io/deletion-protected"] != "" {
			f.t.Fatalf("deleted %s while it is protected", ref.Name)
		}
		delete(f.control.Templates, ref)
	}
}

// reactions are Karmada's controllers; each call does one thing one of them would do, if there is any.
var reactions = []struct {
	name string
	run  func(*federation)
}{
	{"detector", (*federation).detect},
	{"scheduler", (*federation).schedule},
	{"binding", (*federation).bind},
	{"execution", (*federation).execute},
	{"garbage", (*federation).collect},
}

// detect claims templates and carries policy and template into the binding.
func (f *federation) detect() {
	for ref, template := range f.control.Templates {
		claim := f.control.Policies[policy.Name(ref.Kind, ref.Name)]
		if claim == nil {
			continue
		}
		annotations := template.GetAnnotations()
		if annotations["propagationpolicy.karmada.io/name"] != claim.Name {
			next := template.DeepCopy()
			if annotations == nil {
				annotations = map[string]string{}
			}
			annotations["propagationpolicy.karmada.io/name"] = claim.Name
			next.SetAnnotations(annotations)
			f.control.Templates[ref] = next
		}
		binding := &workv1alpha2.ResourceBinding{}
		if old := f.control.Bindings[ref]; old != nil {
			binding = old.DeepCopy()
		}
		replicas, divided := policy.Replicas(template)
		if divided {
			binding.Spec.Replicas = replicas
		}
		binding.Spec.Placement = claim.Spec.Placement.DeepCopy()
		binding.Spec.PreserveResourcesOnDeletion = claim.Spec.PreserveResourcesOnDeletion
		var scheduling *bool
		if binding.Spec.Suspension != nil {
			scheduling = binding.Spec.Suspension.Scheduling
		}
		binding.Spec.Suspension = &workv1alpha2.Suspension{Scheduling: scheduling}
		if claim.Spec.Suspension != nil {
			binding.Spec.Suspension.Suspension = *claim.Spec.Suspension.DeepCopy()
		}
		f.control.Bindings[ref] = binding
	}
}

// schedule divides by static weight over the clusters that are Ready, unless frozen.
func (f *federation) schedule() {
	for ref, old := range f.control.Bindings {
		if frozen(old) || old.Spec.Placement == nil {
			continue
		}
		var sum int32
		for _, target := range old.Spec.Clusters {
			sum += target.Replicas
		}
		applied, _ := json.Marshal(old.Spec.Placement)
		if len(old.Spec.Clusters) > 0 && sum == old.Spec.Replicas && old.Annotations["policy.karmada.io/applied-placement"] == string(applied) {
			continue
		}
		binding := old.DeepCopy()
		if binding.Annotations == nil {
			binding.Annotations = map[string]string{}
		}
		binding.Annotations["policy.karmada.io/applied-placement"] = string(applied)
		binding.Spec.Clusters = nil
		var total, given int64
		weights := map[string]int64{}
		for _, name := range old.Spec.Placement.ClusterAffinity.ClusterNames {
			if !f.members[name].ready {
				continue
			}
			weights[name] = 1
			if division := old.Spec.Placement.ReplicaScheduling; division != nil {
				for _, weight := range division.WeightPreference.StaticWeightList {
					if weight.TargetCluster.ClusterNames[0] == name {
						weights[name] = weight.Weight
					}
				}
			}
			total += weights[name]
		}
		for _, name := range sortedKeys(weights) {
			share := int64(old.Spec.Replicas) * weights[name] / total
			given += share
			binding.Spec.Clusters = append(binding.Spec.Clusters, workv1alpha2.TargetCluster{Name: name, Replicas: int32(share)})
		}
		if len(binding.Spec.Clusters) > 0 && old.Spec.Replicas > 0 {
			binding.Spec.Clusters[0].Replicas += old.Spec.Replicas - int32(given)
		}
		f.control.Bindings[ref] = binding
	}
}

// bind renders Works, suspended ones too, and removes those of clusters that are no targets any more.
func (f *federation) bind() {
	for ref, binding := range f.control.Bindings {
		template := f.control.Templates[ref]
		if template == nil {
			continue
		}
		targets := map[string]bool{}
		for _, target := range binding.Spec.Clusters {
			targets[target.Name] = true
			manifest := f.render(template, ref, target)
			suspended := binding.Spec.Suspension != nil && policy.Suspended(&binding.Spec.Suspension.Suspension, target.Name)
			work := &Work{Suspended: suspended, Preserve: ptr.Deref(binding.Spec.PreserveResourcesOnDeletion, false), Manifest: manifest}
			if old := f.works[target.Name][ref]; old != nil {
				work.Dispatching = old.Dispatching
			}
			f.works[target.Name][ref] = work
		}
		for name := range f.works {
			if work := f.works[name][ref]; work != nil && !targets[name] {
				f.removeWork(name, ref)
			}
		}
	}
}

func (f *federation) render(template *unstructured.Unstructured, ref Ref, target workv1alpha2.TargetCluster) *unstructured.Unstructured {
	manifest := template.DeepCopy()
	for _, field := range []string{"uid", "generation"} {
		unstructured.RemoveNestedField(manifest.Object, "metadata", field)
	}
	if _, divided := policy.Replicas(manifest); divided {
		_ = unstructured.SetNestedField(manifest.Object, int64(target.Replicas), "spec", "replicas")
	}
	if over := f.control.Overrides[policy.Name(ref.Kind, ref.Name)]; over != nil {
		for _, rule := range over.Spec.OverrideRules {
			if rule.TargetCluster.ClusterNames[0] == target.Name {
				f.patch(manifest, rule.Overriders.Plaintext)
			}
		}
	}
	labels, annotations := manifest.GetLabels(), manifest.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["karmada.io/managed"] = "true"
	annotations["resourcetemplate.karmada.io/uid"] = string(template.GetUID())
	annotations["work.karmada.io/namespace"] = "karmada-es-" + target.Name
	if template.GetGeneration() > 0 {
		annotations["resourcetemplate.karmada.io/generation"] = strconv.FormatInt(template.GetGeneration(), 10)
	}
	manifest.SetLabels(labels)
	manifest.SetAnnotations(annotations)
	return manifest
}

func (f *federation) patch(manifest *unstructured.Unstructured, overriders []policyv1alpha1.PlaintextOverrider) {
	raw, err := json.Marshal(manifest.Object)
	if err != nil {
		f.t.Fatal(err)
	}
	operations := make([]map[string]any, 0, len(overriders))
	for _, overrider := range overriders {
		operation := map[string]any{"op": string(overrider.Operator), "path": overrider.Path}
		if len(overrider.Value.Raw) > 0 {
			operation["value"] = json.RawMessage(overrider.Value.Raw)
		}
		operations = append(operations, operation)
	}
	text, err := json.Marshal(operations)
	if err != nil {
		f.t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := patch.Apply(raw)
	if err != nil {
		f.t.Fatalf("override does not apply: %v\n%s\n%s", err, text, raw)
	}
	manifest.Object = map[string]any{}
	if err := manifest.UnmarshalJSON(out); err != nil {
		f.t.Fatal(err)
	}
}

// execute writes Works that are not suspended into members, as a full PUT.
func (f *federation) execute() {
	for name, works := range f.works {
		for ref, work := range works {
			if work.Suspended {
				work.Dispatching = metav1.ConditionFalse
				continue
			}
			work.Dispatching = metav1.ConditionTrue
			m := f.members[name]
			if m.down {
				continue
			}
			live := m.objects[ref]
			if live == nil {
				f.write(name, work.Manifest)
				continue
			}
			next := applied(live, work.Manifest)
			if fmt.Sprint(next.Object) != fmt.Sprint(live.Object) {
				f.write(name, next)
			}
		}
	}
}

// collect removes bindings whose template is gone, and their Works.
func (f *federation) collect() {
	for ref := range f.control.Bindings {
		if f.control.Templates[ref] != nil {
			continue
		}
		delete(f.control.Bindings, ref)
		for name := range f.works {
			if f.works[name][ref] != nil {
				f.removeWork(name, ref)
			}
		}
	}
}

// removeWork deletes the member's object, or writes the stored manifest back when it is preserved.
func (f *federation) removeWork(name string, ref Ref) {
	work := f.works[name][ref]
	delete(f.works[name], ref)
	live := f.members[name].objects[ref]
	if live == nil {
		return
	}
	if !work.Preserve {
		if live.GetLabels()["karmada.io/managed"] == "true" {
			delete(f.members[name].objects, ref)
			f.deletedInMember = append(f.deletedInMember, name+"/"+ref.Kind+"/"+ref.Name)
		}
		return
	}
	next := applied(live, policy.Template(work.Manifest))
	for key := range next.GetLabels() {
		if strings.Contains(key, "karmada.io") {
			unstructured.RemoveNestedField(next.Object, "metadata", "labels", key)
		}
	}
	for key := range next.GetAnnotations() {
		if strings.Contains(key, "karmada.io") {
			unstructured.RemoveNestedField(next.Object, "metadata", "annotations", key)
		}
	}
	f.write(name, next)
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
	}
	f.t.Fatalf("phase %s is not reached: stands at %s, %+v", until, f.status.Phase, f.status.Conditions)
}
