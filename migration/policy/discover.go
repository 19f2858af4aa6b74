package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/karmada-io/karmada/pkg/util/helper"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// Found is one object that belongs to an application, with every workload of the namespace that uses it.
type Found struct {
	Object *unstructured.Unstructured
	// Users as "kind/name" in lower case, sorted, the application's own workload included.
	Users []string
}

// Discover finds what a workload needs among the objects of its namespace in one cluster: what its pods
// mount and refer to, the Services and PodDisruptionBudgets that select them, the autoscalers that scale
// it and the Ingresses in front. (Karmada's own dependency list holds only what pods refer to.)
// The workload itself comes first. Objects that the cluster makes for itself are not found. Those named in kept
// are the application's whether its pods refer to them or not.
func Discover(objects []*unstructured.Unstructured, workload v1alpha1.ResourceReference, kept ...v1alpha1.ResourceReference) ([]Found,
	error) {
	index := newIndex(objects)
	var own *unstructured.Unstructured
	users := map[v1alpha1.ResourceReference]map[string]bool{}
	for _, object := range objects {
		if !Supported(object.GetAPIVersion(), object.GetKind()) {
			continue
		}
		needs, err := index.needs(object)
		if err != nil {
			return nil, fmt.Errorf("reading what %s needs: %w", User(RefOf(object)), err)
		}
		for _, ref := range needs {
			if users[ref] == nil {
				users[ref] = map[string]bool{}
			}
			users[ref][User(RefOf(object))] = true
		}
		if RefOf(object) == workload {
			own = object
		}
	}
	if own == nil {
		return nil, nil
	}
	for _, ref := range kept {
		if index[ref] == nil || ref == workload {
			continue
		}
		if users[ref] == nil {
			users[ref] = map[string]bool{}
		}
		users[ref][User(workload)] = true
	}
	found := []Found{{Object: own, Users: []string{User(workload)}}}
	for ref, by := range users {
		if by[User(workload)] {
			found = append(found, Found{Object: index[ref], Users: slices.Sorted(maps.Keys(by))})
		}
	}
	slices.SortFunc(found[1:], func(a, b Found) int { return compareRefs(RefOf(a.Object), RefOf(b.Object)) })
	return found, nil
}

// Users of one of the objects of a namespace, as "kind/name" in lower case, sorted.
func Users(objects []*unstructured.Unstructured, ref v1alpha1.ResourceReference) ([]string, error) {
	index := newIndex(objects)
	var users []string
	for _, object := range objects {
		if !Supported(object.GetAPIVersion(), object.GetKind()) {
			continue
		}
		needs, err := index.needs(object)
		if err != nil {
			return nil, fmt.Errorf("reading what %s needs: %w", User(RefOf(object)), err)
		}
		if slices.Contains(needs, ref) {
			users = append(users, User(RefOf(object)))
		}
	}
	slices.Sort(users)
	return users, nil
}

// User is how a workload is named among the users of a shared object.
func User(ref v1alpha1.ResourceReference) string {
	return strings.ToLower(ref.Kind) + "/" + ref.Name
}

func compareRefs(a, b v1alpha1.ResourceReference) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
}

type index map[v1alpha1.ResourceReference]*unstructured.Unstructured

func newIndex(objects []*unstructured.Unstructured) index {
	out := make(index, len(objects))
	for _, object := range objects {
		out[RefOf(object)] = object
	}
	return out
}

// needs lists the objects of the index that a workload uses.
func (x index) needs(workload *unstructured.Unstructured) ([]v1alpha1.ResourceReference, error) {
	template, err := podTemplate(workload)
	if err != nil {
		return nil, err
	}
	wanted, err := podNeeds(template)
	if err != nil {
		return nil, err
	}
	if service, _, _ := unstructured.NestedString(workload.Object, "spec", "serviceName"); service != "" {
		wanted["Service/"+service] = true
	}
	podLabels := labels.Set(template.Labels)
	services := map[string]bool{}
	for ref, object := range x {
		if ref.Kind != "Service" {
			continue
		}
		selector, _, _ := unstructured.NestedStringMap(object.Object, "spec", "selector")
		if wanted["Service/"+ref.Name] || len(selector) > 0 && labels.SelectorFromSet(selector).Matches(podLabels) {
			services[ref.Name] = true
		}
	}
	var out []v1alpha1.ResourceReference
	for ref, object := range x {
		if x.uses(ref, object, workload, usage{named: wanted, services: services, pods: podLabels}) && !madeByCluster(object) {
			out = append(out, ref)
		}
	}
	return out, nil
}

// usage is what is known of a workload when its namespace is searched.
type usage struct {
	named    map[string]bool // "Kind/name" that the pods refer to
	services map[string]bool // Services that select the pods
	pods     labels.Set
}

func (x index) uses(ref v1alpha1.ResourceReference, object, workload *unstructured.Unstructured, u usage) bool {
	switch ref.Kind {
	case "Service":
		return u.services[ref.Name]
	case "PodDisruptionBudget":
		return selects(object, u.pods)
	case "HorizontalPodAutoscaler":
		return scales(object, workload)
	case "Ingress":
		for _, service := range ingressServices(object) {
			if u.services[service] {
				return true
			}
		}
		return false
	default:
		return u.named[ref.Kind+"/"+ref.Name]
	}
}

// podTemplate decodes spec.template; every supported kind has it there.
func podTemplate(workload *unstructured.Unstructured) (*corev1.PodTemplateSpec, error) {
	raw, found, err := unstructured.NestedMap(workload.Object, "spec", "template")
	if err != nil || !found {
		return nil, fmt.Errorf("spec.template of %s is missing or no object", User(RefOf(workload)))
	}
	template := &corev1.PodTemplateSpec{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, template); err != nil {
		return nil, fmt.Errorf("decoding spec.template of %s: %w", User(RefOf(workload)), err)
	}
	return template, nil
}

// podNeeds are the "Kind/name" that pods refer to, by Karmada's own reading: Secrets of every kind of volume among them.
func podNeeds(template *corev1.PodTemplateSpec) (map[string]bool, error) {
	refs, err := helper.GetDependenciesFromPodTemplate(&corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec})
	if err != nil {
		return nil, err
	}
	needs := make(map[string]bool, len(refs))
	for _, ref := range refs {
		needs[ref.Kind+"/"+ref.Name] = true
	}
	return needs, nil
}

func selects(object *unstructured.Unstructured, pods labels.Set) bool {
	raw, found, err := unstructured.NestedMap(object.Object, "spec", "selector")
	if err != nil || !found {
		return false
	}
	selector := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, selector); err != nil {
		return false
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && !parsed.Empty() && parsed.Matches(pods)
}

func scales(hpa, workload *unstructured.Unstructured) bool {
	target, _, _ := unstructured.NestedStringMap(hpa.Object, "spec", "scaleTargetRef")
	group := func(apiVersion string) string { g, _, _ := strings.Cut(apiVersion, "/"); return g }
	return target["kind"] == workload.GetKind() && target["name"] == workload.GetName() &&
		group(target["apiVersion"]) == group(workload.GetAPIVersion())
}

func ingressServices(ingress *unstructured.Unstructured) []string {
	var names []string
	backend := func(from map[string]any) {
		if name, _, _ := unstructured.NestedString(from, "service", "name"); name != "" {
			names = append(names, name)
		}
	}
	if fallback, ok, _ := unstructured.NestedMap(ingress.Object, "spec", "defaultBackend"); ok {
		backend(fallback)
	}
	rules, _, _ := unstructured.NestedSlice(ingress.Object, "spec", "rules")
	for _, rule := range rules {
		asMap, _ := rule.(map[string]any)
		paths, _, _ := unstructured.NestedSlice(asMap, "http", "paths")
		for _, path := range paths {
			asMap, _ := path.(map[string]any)
			if to, ok, _ := unstructured.NestedMap(asMap, "backend"); ok {
				backend(to)
			}
		}
	}
	return names
}

// madeByCluster objects exist in every cluster of themselves and differ there by nature.
func madeByCluster(object *unstructured.Unstructured) bool {
	switch object.GetKind() {
	case "ServiceAccount":
		return object.GetName() == "default"
	case "ConfigMap":
		return object.GetName() == "kube-root-ca.crt"
	case "Secret":
		kind, _, _ := unstructured.NestedString(object.Object, "type")
		return kind == string(corev1.SecretTypeServiceAccountToken)
	}
	return false
}
