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
			found = append(found, Found{Object: index[ref].object, Users: slices.Sorted(maps.Keys(by))})
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

// index of a namespace's objects. What each of them selects or names is read once: each is held against every workload.
type index map[v1alpha1.ResourceReference]*indexed

type indexed struct {
	object *unstructured.Unstructured
	// name as pods refer to it: "Kind/name".
	name string
	// pods that a Service or a PodDisruptionBudget selects; nil: none.
	pods labels.Selector
	// target of an autoscaler.
	target map[string]string
	// services behind an Ingress.
	services []string
	// madeByCluster: the cluster makes it for itself.
	madeByCluster bool
}

func newIndex(objects []*unstructured.Unstructured) index {
	out := make(index, len(objects))
	for _, object := range objects {
		ref := RefOf(object)
		one := &indexed{object: object, name: ref.Kind + "/" + ref.Name, madeByCluster: madeByCluster(object)}
		switch ref.Kind {
		case "Service":
			if selector, _, _ := unstructured.NestedStringMap(object.Object, "spec", "selector"); len(selector) > 0 {
				one.pods = labels.SelectorFromSet(selector)
			}
		case "PodDisruptionBudget":
			one.pods = selectorOf(object)
		case "HorizontalPodAutoscaler":
			one.target, _, _ = unstructured.NestedStringMap(object.Object, "spec", "scaleTargetRef")
		case "Ingress":
			one.services = ingressServices(object)
		}
		out[ref] = one
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
	u := usage{named: wanted, services: map[string]bool{}, pods: labels.Set(template.Labels), workload: workload}
	for ref, one := range x {
		if ref.Kind == "Service" && (wanted[one.name] || one.selects(u.pods)) {
			u.services[ref.Name] = true
		}
	}
	var out []v1alpha1.ResourceReference
	for ref, one := range x {
		if !one.madeByCluster && one.usedBy(u) {
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
	workload *unstructured.Unstructured
}

func (o *indexed) selects(pods labels.Set) bool { return o.pods != nil && o.pods.Matches(pods) }

func (o *indexed) usedBy(u usage) bool {
	switch o.object.GetKind() {
	case "Service":
		return u.services[o.object.GetName()]
	case "PodDisruptionBudget":
		return o.selects(u.pods)
	case "HorizontalPodAutoscaler":
		return scales(o.target, u.workload)
	case "Ingress":
		return slices.ContainsFunc(o.services, func(service string) bool { return u.services[service] })
	default:
		return u.named[o.name]
	}
}

// podTemplate decodes spec.template; every supported kind has it there.
func podTemplate(workload *unstructured.Unstructured) (*corev1.PodTemplateSpec, error) {
	raw, _, err := unstructured.NestedFieldNoCopy(workload.Object, "spec", "template")
	content, found := raw.(map[string]any)
	if err != nil || !found {
		return nil, fmt.Errorf("spec.template of %s is missing or no object", User(RefOf(workload)))
	}
	template := &corev1.PodTemplateSpec{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, template); err != nil {
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

// selectorOf pods, as a PodDisruptionBudget has it; nil: it selects none.
func selectorOf(object *unstructured.Unstructured) labels.Selector {
	raw, found, err := unstructured.NestedMap(object.Object, "spec", "selector")
	if err != nil || !found {
		return nil
	}
	selector := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, selector); err != nil {
		return nil
	}
	if parsed, err := metav1.LabelSelectorAsSelector(selector); err == nil && !parsed.Empty() {
		return parsed
	}
	return nil
}

// scales says whether an autoscaler's target is the workload, in any version of its API.
func scales(target map[string]string, workload *unstructured.Unstructured) bool {
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
