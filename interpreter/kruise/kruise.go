package kruise

import (
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/podtemplate"
)

func kind(name string) []schema.GroupVersionKind {
	return []schema.GroupVersionKind{{Group: "apps.kruise.io", Version: "v1alpha1", Kind: name}}
}

// UnitedDeployment is the rules for it.
func UnitedDeployment() *family.Family {
	return &family.Family{
		Name: "uniteddeployment", Kinds: kind("UnitedDeployment"),
		AggregateStatus: aggregateStatus, InterpretStatus: aggregate.Reflect, InterpretDependency: dependOn(
			[]string{"spec", "template", "cloneSetTemplate"},
			[]string{"spec", "template", "statefulSetTemplate"},
			[]string{"spec", "template", "advancedStatefulSetTemplate"},
			[]string{"spec", "template", "deploymentTemplate"},
		),
	}
}

// BroadcastJob is the rule for it.
func BroadcastJob() *family.Family {
	return &family.Family{Name: "broadcastjob", Kinds: kind("BroadcastJob"), InterpretDependency: dependOn([]string{})}
}

// AdvancedCronJob is the rule for it.
func AdvancedCronJob() *family.Family {
	return &family.Family{
		Name: "advancedcronjob", Kinds: kind("AdvancedCronJob"), InterpretDependency: dependOn(
			[]string{"spec", "template", "jobTemplate"}, []string{"spec", "template", "broadcastJobTemplate"},
		),
	}
}

// dependOn is what the workloads at the paths, of which an object has one, depend on.
func dependOn(workloads ...[]string) func(*unstructured.Unstructured) ([]configv1alpha1.DependentObjectReference, error) {
	return func(object *unstructured.Unstructured) ([]configv1alpha1.DependentObjectReference, error) {
		for _, path := range workloads {
			workload, err := field.Map(object.Object, path...)
			if err != nil {
				return nil, err
			}
			if workload == nil {
				continue
			}
			claims, err := podtemplate.ClaimTemplates(workload, "spec", "volumeClaimTemplates")
			if err != nil {
				return nil, field.Under(err, path...)
			}
			found, err := podtemplate.Dependencies(workload, object.GetNamespace(), claims, "spec", "template")
			return found, field.Under(err, path...)
		}
		return nil, nil
	}
}

// counts are summed over the members.
var counts = []string{"replicas", "readyReplicas", "updatedReplicas", "updatedReadyReplicas"}

func aggregateStatus(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	s := aggregate.Begin(object, members, counts...)
	// The CRD wants it, as text, also before any member has reported.
	s.UpdatedText("currentRevision")
	s.Selector("labelSelector")
	s.Add(subsets)
	s.Conditions("SubsetProvisioned", "SubsetUpdated")
	return s.Edits()
}

// subsets sums the members' replicas of each subset.
func subsets(members []family.Member, into map[string]any) error {
	sums := map[string]any{}
	for _, m := range members {
		of, err := field.Map(m.Status, "subsetReplicas")
		if err != nil {
			return aggregate.At(m, err)
		}
		for name := range of {
			n, err := field.Count(of, 0, name)
			if err != nil {
				return aggregate.At(m, field.Under(err, "subsetReplicas"))
			}
			before, _ := sums[name].(int64)
			sums[name] = before + int64(n)
		}
	}
	if len(sums) > 0 {
		into["subsetReplicas"] = sums
	}
	return nil
}
