package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

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
		f.current(action, seen(f.control.Overrides[action.Over.Name]))
		f.undisturbed(action.Over)
		f.control.Overrides[action.Over.Name] = action.Over.DeepCopy()
		f.control.Overrides[action.Over.Name].ResourceVersion = f.version()
	case WritePolicy:
		f.current(action, seen(f.control.Policies[action.Policy.Name]))
		f.control.Policies[action.Policy.Name] = action.Policy.DeepCopy()
		f.control.Policies[action.Policy.Name].ResourceVersion = f.version()
	case WriteTemplate:
		next := action.Object.DeepCopy()
		if old := f.control.Templates[action.Ref]; old != nil {
			if field := policy.Fixed(old, next); field != "" {
				f.t.Fatalf("karmada-apiserver refuses to change %s of %s", field, action.Ref.Name)
			}
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
		f.current(action, seen(f.control.Policies[action.Ref.Name]))
		existing := f.control.Policies[action.Ref.Name].DeepCopy()
		existing.ResourceVersion = f.version()
		existing.Spec.Suspension, existing.Spec.PreserveResourcesOnDeletion = action.Suspension, ptr.To(true)
		if action.Suspension != nil {
			policy.Hold(&existing.Spec.Placement)
		} else if action.LetGo {
			policy.LetGo(&existing.Spec.Placement)
		}
		f.control.Policies[action.Ref.Name] = existing
	case SetScheduling:
		binding := f.control.Bindings[action.Ref].DeepCopy()
		if binding.Spec.Suspension == nil {
			binding.Spec.Suspension = &workv1alpha2.Suspension{}
		}
		binding.Spec.Suspension.Scheduling = ptr.To(action.Frozen)
		f.schedulingMarks(binding, action.Frozen)
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

// current fails when a decision does not name the version of the object it rests on.
func (f *federation) current(action Action, version string) {
	f.t.Helper()
	if action.Seen != version {
		f.t.Fatalf("%s of %s rests on version %q, and there is %q", action.Verb, action.Ref.Name, action.Seen, version)
	}
}

// undisturbed fails when an override says something else than before for a cluster that its object is dispatched to: the
// edit would reach that cluster at once, with or without the template that belongs to it.
func (f *federation) undisturbed(next *policyv1alpha1.OverridePolicy) {
	f.t.Helper()
	selector := next.Spec.ResourceSelectors[0]
	ref := Ref{APIVersion: selector.APIVersion, Kind: selector.Kind, Name: selector.Name}
	for name := range f.works {
		work := f.works[name][ref]
		if work == nil || work.silent() {
			continue
		}
		if before, after := rulesOf(f.control.Overrides[next.Name], name), rulesOf(next, name); before != after {
			f.t.Fatalf("the override of %s changes in cluster %s while it is dispatched there: from %s to %s", ref.Name, name, before, after)
		}
	}
}

// rulesOf a cluster in an override, as text.
func rulesOf(over *policyv1alpha1.OverridePolicy, cluster string) string {
	var out []string
	if over != nil {
		for _, rule := range over.Spec.OverrideRules {
			if rule.TargetCluster.ClusterNames[0] == cluster {
				out = append(out, fmt.Sprint(plain(rule.Overriders)))
			}
		}
	}
	return strings.Join(out, " ")
}

func (f *federation) version() string {
	f.uid++
	return strconv.Itoa(f.uid)
}

func (f *federation) mark(action Action) {
	change := func(from map[string]string, by map[string]*string) map[string]string {
		out := map[string]string{}
		maps.Copy(out, from)
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
	case "Namespace":
		f.current(action, f.home.Version)
		label := action.Labels["resourcetemplate.karmada.io/deletion-protected"]
		f.home = Home{Protected: label != nil, Ours: action.Annotations[v1alpha1.AnnotationProtected] != nil, Version: f.version()}
	case "PropagationPolicy":
		next := f.control.Policies[action.Ref.Name].DeepCopy()
		next.Annotations, next.Labels = change(next.Annotations, action.Annotations), change(next.Labels, action.Labels)
		next.ResourceVersion = f.version()
		f.control.Policies[action.Ref.Name] = next
	case "OverridePolicy":
		next := f.control.Overrides[action.Ref.Name].DeepCopy()
		next.Labels = change(next.Labels, action.Labels)
		next.ResourceVersion = f.version()
		f.control.Overrides[action.Ref.Name] = next
	default:
		delete(f.unseen, action.Ref)
		next := f.control.Templates[action.Ref].DeepCopy()
		next.SetAnnotations(change(next.GetAnnotations(), action.Annotations))
		next.SetLabels(change(next.GetLabels(), action.Labels))
		f.control.Templates[action.Ref] = next
	}
}

func (f *federation) delete(ref Ref) {
	switch ref.Kind {
	case "PropagationPolicy":
		f.unprotected(f.control.Policies[ref.Name])
		delete(f.control.Policies, ref.Name)
	case "Migration":
		f.status, f.spec.Approvals = v1alpha1.MigrationStatus{}, nil
	case "OverridePolicy":
		f.unprotected(f.control.Overrides[ref.Name])
		delete(f.control.Overrides, ref.Name)
	default:
		f.unprotected(f.control.Templates[ref])
		delete(f.control.Templates, ref)
	}
}

// unprotected fails where Karmada's webhook refuses a deletion.
func (f *federation) unprotected(object metav1.Object) {
	f.t.Helper()
	if object.GetLabels()["resourcetemplate.karmada.io/deletion-protected"] != "" {
		f.t.Fatalf("deleted %s while it is protected", object.GetName())
	}
}

// schedulingMarks are what the write of a binding's scheduling leaves in its annotations.
func (f *federation) schedulingMarks(binding *workv1alpha2.ResourceBinding, frozen bool) {
	f.t.Helper()
	if binding.Annotations == nil {
		binding.Annotations = map[string]string{}
	}
	placement := binding.Spec.Placement.DeepCopy()
	delete(binding.Annotations, v1alpha1.AnnotationHeld)
	if frozen {
		binding.Annotations[v1alpha1.AnnotationHeld] = "true"
		policy.Hold(placement)
	}
	applied, err := json.Marshal(placement)
	if err != nil {
		f.t.Fatal(err)
	}
	binding.Annotations["policy.karmada.io/applied-placement"] = string(applied)
}
