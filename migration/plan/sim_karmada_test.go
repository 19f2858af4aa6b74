package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

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
	{"taints", (*federation).evict},
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
			manifest, err := f.render(template, ref, target)
			if err != nil {
				continue // the override is for another template: Karmada keeps the Work and tries again
			}
			suspended := binding.Spec.Suspension != nil && policy.Suspended(&binding.Spec.Suspension.Suspension, target.Name)
			work := &Work{Suspended: suspended, Preserve: ptr.Deref(binding.Spec.PreserveResourcesOnDeletion, false), Manifest: manifest}
			if old := f.works[target.Name][ref]; old != nil {
				work.Dispatching, work.DispatchingSince = old.Dispatching, old.DispatchingSince
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

func (f *federation) render(template *unstructured.Unstructured, ref Ref, target workv1alpha2.TargetCluster) (*unstructured.Unstructured,
	error) {
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
				if err := f.patch(manifest, rule.Overriders.Plaintext); err != nil {
					return nil, err
				}
			}
		}
	}
	if field := f.unseen[ref]; field != "" {
		unstructured.RemoveNestedField(manifest.Object, "spec", field)
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
	return manifest, nil
}

func (f *federation) patch(manifest *unstructured.Unstructured, overriders []policyv1alpha1.PlaintextOverrider) error {
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
		return err
	}
	manifest.Object = map[string]any{}
	return manifest.UnmarshalJSON(out)
}

// execute writes Works that are not suspended into members, as a full PUT.
func (f *federation) execute() {
	for name, works := range f.works {
		m := f.members[name]
		if m.agent != nil {
			if works = m.agent.see(works); m.agent.away {
				f.enforce(name, works)
				continue
			}
		}
		for _, work := range works {
			dispatching := metav1.ConditionTrue
			if work.Suspended {
				dispatching = metav1.ConditionFalse
			}
			if work.Dispatching != dispatching {
				work.Dispatching, work.DispatchingSince = dispatching, f.now
			}
		}
		f.enforce(name, works)
	}
}

// enforce what an execution controller sees.
func (f *federation) enforce(name string, works map[Ref]*Work) {
	m := f.members[name]
	for ref, work := range works {
		if work.Suspended || m.down {
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

// evict takes clusters with a NoExecute taint out of the bindings that do not tolerate it, as the taint manager does by the placement that
// was applied, suspended and frozen or not. What is federated it moves by right; that is not looked at here.
func (f *federation) evict() {
	for ref, old := range f.control.Bindings {
		placement := &policyv1alpha1.Placement{}
		if applied := old.Annotations["policy.karmada.io/applied-placement"]; f.atHome() || applied != "" &&
			json.Unmarshal([]byte(applied), placement) != nil {
			continue
		}
		if policy.Held(placement) {
			continue
		}
		binding := old.DeepCopy()
		binding.Spec.Clusters = slices.DeleteFunc(binding.Spec.Clusters,
			func(target workv1alpha2.TargetCluster) bool { return f.members[target.Name].tainted })
		f.control.Bindings[ref] = binding
	}
}

// atHome is true while the application is federated, and until a cut-off has reached its bindings.
func (f *federation) atHome() bool {
	if f.status.Phase == v1alpha1.PhaseFederated {
		return true
	}
	for _, binding := range f.control.Bindings {
		if f.status.Phase == v1alpha1.PhaseCuttingOff && !held(binding) {
			return true
		}
	}
	return false
}
