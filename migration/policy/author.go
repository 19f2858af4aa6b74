package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
)

// Application is what is to be federated: its objects as they are in each cluster.
type Application struct {
	Namespace string
	Workload  v1alpha1.ResourceReference
	// Objects by cluster, as Discover found them.
	Objects map[string][]Found
	// Owner is put on everything authored; empty for policies authored without a migration.
	Owner string
	// Adopted says whether a shared object may be taken into the federation at all: some user of it in
	// some cluster may still be static. Nil: every one may.
	Adopted func(ref v1alpha1.ResourceReference, users []string) (string, bool)
	// Base are templates that must stay as they are: their overrides are made against them.
	Base map[v1alpha1.ResourceReference]*unstructured.Unstructured
}

// Resource is one object of an application with everything the control plane needs for it.
type Resource struct {
	v1alpha1.ResourceReference
	// Clusters that have it, sorted.
	Clusters []string
	// Users of it in any cluster, sorted.
	Users []string
	// Local is the reason it stays under static management; empty for those that are federated.
	Local string
	// Differs is true where Local is about content that no override can keep apart.
	Differs bool
	// Owner is the controller that has it in some cluster, for people; empty where nobody has.
	Owner string
	// Marks of other tools on it, for people.
	Marks []string
	// Template for the control plane.
	Template *unstructured.Unstructured
	// Desired is what each cluster shall have: its own cleaned live object.
	Desired map[string]*unstructured.Unstructured
	// Ownership of the template's fields by releases, as the object it is made from bears it; nil when no release wrote it.
	Ownership *metav1.ManagedFieldsEntry
	// Replicas by cluster; nil for objects without.
	Replicas map[string]int32
	// Policy propagates it, not suspended anywhere.
	Policy *policyv1alpha1.PropagationPolicy
	// Override keeps the differences between clusters; nil when there are none.
	Override *policyv1alpha1.OverridePolicy
	// live objects by cluster, as they were given.
	live map[string]*unstructured.Unstructured
}

// Author builds templates, policies and overrides under which every cluster gets exactly what it has.
// The workload comes first, then the others by kind and name.
func Author(app Application) ([]Resource, error) {
	gathered, order := byReference(app)
	autoscaled := false
	for _, ref := range order {
		autoscaled = autoscaled || ref.Kind == "HorizontalPodAutoscaler"
	}
	resources := make([]Resource, 0, len(order))
	for _, ref := range order {
		resource := gathered[ref]
		if err := app.author(resource, autoscaled); err != nil {
			return nil, fmt.Errorf("authoring policies of %s: %w", User(ref), err)
		}
		resources = append(resources, *resource)
	}
	return resources, nil
}

func byReference(app Application) (map[v1alpha1.ResourceReference]*Resource, []v1alpha1.ResourceReference) {
	gathered := map[v1alpha1.ResourceReference]*Resource{}
	for cluster, objects := range app.Objects {
		for _, found := range objects {
			ref := RefOf(found.Object)
			if gathered[ref] == nil {
				gathered[ref] = &Resource{ResourceReference: ref, Desired: map[string]*unstructured.Unstructured{},
					live: map[string]*unstructured.Unstructured{}}
			}
			resource := gathered[ref]
			resource.Clusters = append(resource.Clusters, cluster)
			resource.Desired[cluster], resource.live[cluster] = Template(found.Object), found.Object
			resource.Users = append(resource.Users, found.Users...)
			if owner := ControlledBy(found.Object); owner != "" {
				resource.Owner = owner + " in cluster " + cluster
			}
			resource.Marks = append(resource.Marks, Marks(found.Object)...)
		}
	}
	for _, resource := range gathered {
		slices.Sort(resource.Clusters)
		slices.Sort(resource.Users)
		resource.Users = slices.Compact(resource.Users)
		slices.Sort(resource.Marks)
		resource.Marks = slices.Compact(resource.Marks)
	}
	order := slices.SortedFunc(maps.Keys(gathered), func(a, b v1alpha1.ResourceReference) int {
		switch app.Workload {
		case a:
			return -1
		case b:
			return 1
		}
		return compareRefs(a, b)
	})
	return gathered, order
}

func (app Application) author(resource *Resource, autoscaled bool) error {
	if app.Adopted != nil && len(resource.Users) > 1 {
		if why, ok := app.Adopted(resource.ResourceReference, resource.Users); !ok {
			resource.Local = why
			return nil
		}
	}
	isWorkload := resource.ResourceReference == app.Workload
	if resource.Owner != "" && !isWorkload {
		resource.Local = "it is owned by " + resource.Owner + ", which goes on writing it: Karmada would undo that"
		return nil
	}
	if isWorkload && Divisible(resource.Kind) {
		resource.Replicas = map[string]int32{}
		for _, cluster := range resource.Clusters {
			resource.Replicas[cluster], _ = Replicas(resource.Desired[cluster])
		}
	}
	from := resource.live[baseCluster(resource)]
	base := resource.Desired[baseCluster(resource)]
	if existing := app.Base[resource.ResourceReference]; existing != nil {
		from, base = existing, Template(existing)
	}
	resource.Ownership = Ownership(from)
	overriders, err := overrideRules(resource, base)
	if err != nil {
		return err
	}
	if why := inseparable(resource.Kind, overriders); why != "" {
		if isWorkload {
			return errors.New(why)
		}
		resource.Local, resource.Differs = why, true
		return nil
	}
	resource.Template = app.template(resource, base, isWorkload && autoscaled)
	resource.Policy = app.policy(resource)
	if len(overriders) > 0 {
		resource.Override = app.override(resource, overriders)
	}
	return nil
}

// inseparable says why no override can keep apart what clusters differ in.
func inseparable(kind string, overriders []policyv1alpha1.RuleWithCluster) string {
	if kind == "Secret" && len(overriders) > 0 {
		return "its content differs between clusters, and an OverridePolicy would show it as plain text"
	}
	if cluster, size := largest(overriders); size > maxOverride {
		return fmt.Sprintf("cluster %s differs in %d KiB of it, and Karmada keeps what it overrides in an annotation, which takes 256",
			cluster, size>>10)
	}
	return ""
}

// maxOverride are the bytes of one cluster's overrides: Karmada writes them into an annotation of the Work, and all annotations of an
// object may have 256 KiB.
const maxOverride = 200 << 10

// largest rule, by the cluster it is for.
func largest(rules []policyv1alpha1.RuleWithCluster) (cluster string, size int) {
	for i := range rules {
		raw, err := json.Marshal(rules[i].Overriders)
		if err == nil && len(raw) > size {
			cluster, size = rules[i].TargetCluster.ClusterNames[0], len(raw)
		}
	}
	return cluster, size
}

// baseCluster is the one whose object becomes the template: the largest, and the first by name of those.
func baseCluster(resource *Resource) string {
	base := resource.Clusters[0]
	for _, cluster := range resource.Clusters[1:] {
		if resource.Replicas[cluster] > resource.Replicas[base] {
			base = cluster
		}
	}
	return base
}

func (app Application) template(resource *Resource, base *unstructured.Unstructured, autoscaled bool) *unstructured.Unstructured {
	template := base.DeepCopy()
	if resource.Replicas != nil {
		var sum int64
		for _, replicas := range resource.Replicas {
			sum += int64(replicas)
		}
		_ = unstructured.SetNestedField(template.Object, sum, "spec", "replicas")
	}
	marks := map[string]string{}
	if autoscaled {
		marks[mark.RetainReplicas] = "true"
	}
	if app.Owner != "" {
		marks[v1alpha1.LabelManagedBy] = app.Owner
		marks[workv1alpha2.DeletionProtectionLabelKey] = workv1alpha2.DeletionProtectionAlways
	}
	template.SetLabels(union(template.GetLabels(), marks))
	return template
}

// policy with every default filled in, so that what is read back can be compared with it.
func (app Application) policy(resource *Resource) *policyv1alpha1.PropagationPolicy {
	out := &policyv1alpha1.PropagationPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: policyv1alpha1.GroupVersion.String(), Kind: policyv1alpha1.ResourceKindPropagationPolicy},
		ObjectMeta: app.meta(resource),
		Spec: policyv1alpha1.PropagationSpec{
			ResourceSelectors:  app.selector(resource),
			Placement:          placement(resource),
			Priority:           ptr.To[int32](0),
			Preemption:         policyv1alpha1.PreemptNever,
			SchedulerName:      "default-scheduler",
			ConflictResolution: policyv1alpha1.ConflictAbort,
		},
	}
	if app.Owner != "" {
		// What is there is taken over, and stays when the template goes.
		out.Spec.ConflictResolution = policyv1alpha1.ConflictOverwrite
		out.Spec.PreserveResourcesOnDeletion = ptr.To(true)
	}
	if len(resource.Users) > 1 {
		out.Annotations = map[string]string{v1alpha1.AnnotationReferrers: strings.Join(resource.Users, ",")}
	}
	return out
}

func (app Application) meta(resource *Resource) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Namespace: app.Namespace, Name: Name(resource.Kind, resource.Name)}
	if app.Owner != "" {
		meta.Labels = map[string]string{
			v1alpha1.LabelManagedBy:                 app.Owner,
			workv1alpha2.DeletionProtectionLabelKey: workv1alpha2.DeletionProtectionAlways,
		}
	}
	return meta
}

func (app Application) selector(resource *Resource) []policyv1alpha1.ResourceSelector {
	return []policyv1alpha1.ResourceSelector{{
		APIVersion: resource.APIVersion, Kind: resource.Kind, Namespace: app.Namespace, Name: resource.Name,
	}}
}

// placement keeps present replicas as static weights: Karmada's Webster division of their sum by them
// gives each cluster exactly what it has.
func placement(resource *Resource) policyv1alpha1.Placement {
	out := policyv1alpha1.Placement{ClusterAffinity: &policyv1alpha1.ClusterAffinity{ClusterNames: resource.Clusters}}
	if resource.Replicas == nil {
		return out
	}
	var weights []policyv1alpha1.StaticClusterWeight
	for _, cluster := range resource.Clusters {
		weights = append(weights, policyv1alpha1.StaticClusterWeight{
			TargetCluster: policyv1alpha1.ClusterAffinity{ClusterNames: []string{cluster}},
			Weight:        max(int64(resource.Replicas[cluster]), 1),
		})
	}
	out.ReplicaScheduling = &policyv1alpha1.ReplicaSchedulingStrategy{
		ReplicaSchedulingType:     policyv1alpha1.ReplicaSchedulingTypeDivided,
		ReplicaDivisionPreference: policyv1alpha1.ReplicaDivisionPreferenceWeighted,
		WeightPreference:          &policyv1alpha1.ClusterPreferences{StaticWeightList: weights},
	}
	return out
}

func (app Application) override(resource *Resource, rules []policyv1alpha1.RuleWithCluster) *policyv1alpha1.OverridePolicy {
	return &policyv1alpha1.OverridePolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: policyv1alpha1.GroupVersion.String(), Kind: policyv1alpha1.ResourceKindOverridePolicy},
		ObjectMeta: app.meta(resource),
		Spec:       policyv1alpha1.OverrideSpec{ResourceSelectors: app.selector(resource), OverrideRules: rules},
	}
}

// overrideRules hold, for each cluster that differs from the base, every differing field.
func overrideRules(resource *Resource, base *unstructured.Unstructured) ([]policyv1alpha1.RuleWithCluster, error) {
	var rules []policyv1alpha1.RuleWithCluster
	from := withoutReplicas(base, resource.Replicas != nil)
	for _, cluster := range resource.Clusters {
		var overriders []policyv1alpha1.PlaintextOverrider
		for _, difference := range Differences(from, withoutReplicas(resource.Desired[cluster], resource.Replicas != nil)) {
			overrider := policyv1alpha1.PlaintextOverrider{
				Path: difference.Path, Operator: policyv1alpha1.OverriderOperator(difference.Operation),
			}
			if difference.Operation != Remove {
				raw, err := json.Marshal(difference.To)
				if err != nil {
					return nil, fmt.Errorf("encoding %s of cluster %s: %w", Human(difference.Path), cluster, err)
				}
				overrider.Value = apiextensionsv1.JSON{Raw: raw}
			}
			overriders = append(overriders, overrider)
		}
		if len(overriders) > 0 {
			rules = append(rules, policyv1alpha1.RuleWithCluster{
				TargetCluster: &policyv1alpha1.ClusterAffinity{ClusterNames: []string{cluster}},
				Overriders:    policyv1alpha1.Overriders{Plaintext: overriders},
			})
		}
	}
	return rules, nil
}

// withoutReplicas leaves out the replicas, which the binding gives each cluster, and makes both metadata maps
// present: Karmada puts its own labels and annotations on every template, so a patch may rely on them.
func withoutReplicas(object *unstructured.Unstructured, divided bool) map[string]any {
	out := object.DeepCopy()
	if divided {
		unstructured.RemoveNestedField(out.Object, "spec", "replicas")
	}
	for _, field := range []string{"labels", "annotations"} {
		if _, ok, _ := unstructured.NestedMap(out.Object, "metadata", field); !ok {
			_ = unstructured.SetNestedMap(out.Object, map[string]any{}, "metadata", field)
		}
	}
	return out.Object
}
