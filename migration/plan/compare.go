package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/migration/policy"
)

// bookkeeping is the metadata that Karmada, and we, add to an object that comes under management. Nothing
// in it reaches a pod: pods are made from the pod template alone.
var bookkeeping = map[string]map[string]bool{
	"labels": set(
		"karmada.io/managed",
		"resourcebinding.karmada.io/permanent-id",
		"work.karmada.io/permanent-id",
		"propagationpolicy.karmada.io/permanent-id",
		"resourcetemplate.karmada.io/deletion-protected",
		"resourcetemplate.karmada.io/retain-replicas",
		v1alpha1.LabelManagedBy,
	),
	"annotations": set(
		"propagationpolicy.karmada.io/namespace",
		"propagationpolicy.karmada.io/name",
		"resourcebinding.karmada.io/namespace",
		"resourcebinding.karmada.io/name",
		"work.karmada.io/namespace",
		"work.karmada.io/name",
		"work.karmada.io/conflict-resolution",
		"resourcetemplate.karmada.io/uid",
		"resourcetemplate.karmada.io/generation",
		"resourcetemplate.karmada.io/managed-labels",
		"resourcetemplate.karmada.io/managed-annotations",
		v1alpha1.AnnotationContentHash,
		v1alpha1.AnnotationCutOff,
		v1alpha1.AnnotationGuarded,
		v1alpha1.AnnotationLeaving,
		v1alpha1.AnnotationClosed,
		v1alpha1.AnnotationTouched,
	),
}

func set(keys ...string) map[string]bool {
	out := make(map[string]bool, len(keys))
	for _, key := range keys {
		out[key] = true
	}
	return out
}

// Compare lists what a write would change in an object, harmful changes first. The API server's own
// counters do not count: a Deployment's generation rises on any annotation change, with the same pods.
// Status is written through its own subresource and is not compared.
func Compare(live, planned *unstructured.Unstructured) []v1alpha1.FieldChange {
	var changes []v1alpha1.FieldChange
	show := shower(live.GetKind())
	for _, difference := range policy.Differences(substance(live), substance(planned)) {
		changes = append(changes, v1alpha1.FieldChange{
			Path: policy.Human(difference.Path), Kind: kindOf(difference.Path),
			Live: show(difference.Path, difference.From), Planned: show(difference.Path, difference.To),
		})
	}
	rank := func(change v1alpha1.FieldChange) int {
		if change.Kind == v1alpha1.ChangeHarmful {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(changes, func(a, b v1alpha1.FieldChange) int { return cmp.Compare(rank(a), rank(b)) })
	return changes
}

// substance is an object without status and without what the API server counts for itself.
func substance(object *unstructured.Unstructured) map[string]any {
	out := object.DeepCopy()
	delete(out.Object, "status")
	for _, field := range []string{"managedFields", "resourceVersion", "generation", "creationTimestamp", "selfLink"} {
		unstructured.RemoveNestedField(out.Object, "metadata", field)
	}
	for _, field := range []string{"labels", "annotations"} {
		if _, ok, _ := unstructured.NestedMap(out.Object, "metadata", field); !ok {
			_ = unstructured.SetNestedMap(out.Object, map[string]any{}, "metadata", field)
		}
	}
	return out.Object
}

func kindOf(pointer string) v1alpha1.ChangeKind {
	for field, allowed := range bookkeeping {
		if key, ok := strings.CutPrefix(pointer, "/metadata/"+field+"/"); ok {
			if allowed[strings.ReplaceAll(key, "~1", "/")] {
				return v1alpha1.ChangeBookkeeping
			}
		}
	}
	return v1alpha1.ChangeHarmful
}

// shown is how long a value may be in a plan that a person reads.
const shown = 120

// shower writes values for people: short, and never the content of a Secret.
func shower(kind string) func(pointer string, value any) string {
	return func(pointer string, value any) string {
		if value == nil {
			return ""
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return fmt.Sprintf("(%v)", err)
		}
		if kind == "Secret" && !strings.HasPrefix(pointer, "/metadata/") {
			return "***" // not even a hash: short secrets are guessed from one
		}
		if text := string(raw); len(text) > shown {
			sum := sha256.Sum256(raw)
			return strings.ToValidUTF8(text[:shown], "") + fmt.Sprintf("... (%d bytes, sha256 %s)", len(text), hex.EncodeToString(sum[:4]))
		}
		return string(raw)
	}
}

// maxChanges of one object in one cluster are kept in a plan. Above maxChangesInAll bookkeeping is only counted.
const (
	maxChanges      = 50
	maxChangesInAll = 2000
)

// draw writes the plan: every object in every cluster, with what the dry run there showed and what an
// override keeps. The hash covers what is decided, not what Karmada counts: bookkeeping values (uids,
// generations) change with every rewrite and are left out.
func draw(purpose v1alpha1.PlanPurpose, resources []policy.Resource, clusters map[string]Cluster,
	terms v1alpha1.MigrationStrategy) v1alpha1.Plan {
	plan := v1alpha1.Plan{Purpose: purpose}
	for _, cluster := range sortedClusters(resources) {
		for i := range resources {
			resource := &resources[i]
			if resource.Local != "" || resource.Desired[cluster] == nil {
				continue
			}
			one := v1alpha1.ResourcePlan{ResourceReference: resource.ResourceReference, Cluster: cluster}
			run := clusters[cluster].DryRuns[resource.ResourceReference]
			one.Error = run.Error
			if run.Error != "" {
				plan.Harmful++
			} else {
				one.Changes = Compare(run.Live, run.Result)
			}
			for _, change := range one.Changes {
				if change.Kind == v1alpha1.ChangeHarmful {
					plan.Harmful++
				}
			}
			one.Changes = append(one.Changes, kept(resource, cluster)...)
			if extra := len(one.Changes) - maxChanges; extra > 0 {
				one.Changes, one.Omitted = one.Changes[:maxChanges], int32(extra)
			}
			plan.Resources = append(plan.Resources, one)
		}
	}
	plan.Hash = hash(plan, resources, terms)
	sumUp(plan.Resources)
	return plan
}

// sumUp leaves only the number of bookkeeping changes where a plan would grow beyond what can be stored.
func sumUp(resources []v1alpha1.ResourcePlan) {
	total := 0
	for i := range resources {
		total += len(resources[i].Changes)
	}
	if total <= maxChangesInAll {
		return
	}
	for i := range resources {
		one := &resources[i]
		before := len(one.Changes)
		one.Changes = slices.DeleteFunc(one.Changes, func(change v1alpha1.FieldChange) bool { return change.Kind == v1alpha1.ChangeBookkeeping })
		one.Omitted += int32(before - len(one.Changes))
	}
}

// kept are the fields of a cluster's object that an override keeps apart from the template.
func kept(resource *policy.Resource, cluster string) []v1alpha1.FieldChange {
	if resource.Override == nil {
		return nil
	}
	var out []v1alpha1.FieldChange
	show := shower(resource.Kind)
	for _, rule := range resource.Override.Spec.OverrideRules {
		if len(rule.TargetCluster.ClusterNames) != 1 || rule.TargetCluster.ClusterNames[0] != cluster {
			continue
		}
		for _, overrider := range rule.Overriders.Plaintext {
			var value any
			if len(overrider.Value.Raw) > 0 {
				_ = json.Unmarshal(overrider.Value.Raw, &value)
			}
			text := show(overrider.Path, value)
			out = append(out, v1alpha1.FieldChange{
				Path: policy.Human(overrider.Path), Kind: v1alpha1.ChangeOverride, Live: text, Planned: text,
			})
		}
	}
	return out
}

func hash(plan v1alpha1.Plan, resources []policy.Resource, terms v1alpha1.MigrationStrategy) string {
	type decided struct {
		Template map[string]any
		Override any
		Clusters map[string]int32
		Local    string
	}
	content := struct {
		Purpose   v1alpha1.PlanPurpose
		Decided   []decided
		Resources []v1alpha1.ResourcePlan
		Terms     v1alpha1.MigrationStrategy
	}{Purpose: plan.Purpose, Terms: terms}
	for i := range resources {
		one := decided{Local: resources[i].Local, Clusters: map[string]int32{}}
		retained := false
		if template := resources[i].Template; template != nil {
			copied := template.DeepCopy()
			if retained = copied.GetLabels()[mark.RetainReplicas] == "true"; retained {
				// An autoscaler moves them all the time, and Karmada leaves them alone.
				unstructured.RemoveNestedField(copied.Object, "spec", "replicas")
			}
			one.Template = copied.Object
		}
		if resources[i].Override != nil {
			one.Override = resources[i].Override.Spec.OverrideRules
		}
		for _, cluster := range resources[i].Clusters {
			one.Clusters[cluster] = 0
			if !retained {
				one.Clusters[cluster] = resources[i].Replicas[cluster]
			}
		}
		content.Decided = append(content.Decided, one)
	}
	for _, resource := range plan.Resources {
		var changes []v1alpha1.FieldChange
		for _, change := range resource.Changes {
			if change.Kind != v1alpha1.ChangeBookkeeping {
				changes = append(changes, change)
			}
		}
		resource.Changes, resource.Omitted = changes, 0
		content.Resources = append(content.Resources, resource)
	}
	raw, err := json.Marshal(content)
	if err != nil {
		// Maps of JSON values and API structs always encode; a plan nobody can name is never approved.
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func sortedClusters(resources []policy.Resource) []string {
	seen := map[string]bool{}
	for i := range resources {
		for cluster := range resources[i].Desired {
			seen[cluster] = true
		}
	}
	return sortedKeys(seen)
}

func sortedKeys[V any](from map[string]V) []string {
	return slices.Sorted(maps.Keys(from))
}
