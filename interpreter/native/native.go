package native

import (
	"encoding/json"
	"maps"
	"slices"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/resourceinterpreter/default/native"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// Job is the rules for it. A Job that has ended in a member has ended, whether the member can be asked or not.
func Job() *family.Family {
	return &family.Family{
		Name:  "batch-job",
		Kinds: []schema.GroupVersionKind{{Group: "batch", Version: "v1", Kind: "Job"}},
		AggregateStatus: func(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
			members = slices.Clone(members)
			for i := range members {
				if ended(members[i].Status) {
					members[i].Unreachable = ""
				}
			}
			s := aggregate.Begin(object, members)
			s.ProbeTimes()
			s.MadeBy(karmadas(), "its last status stands, and what became of its pods is not known")
			return s.Edits()
		},
	}
}

// PodDisruptionBudget is the rules for it: what a member that cannot be asked might lose is not known, so nothing of it is healthy and
// nothing may go.
func PodDisruptionBudget() *family.Family {
	return &family.Family{
		Name:  "policy-poddisruptionbudget",
		Kinds: []schema.GroupVersionKind{{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}},
		AggregateStatus: func(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
			s := aggregate.Begin(object, members)
			s.MadeBy(karmadas("currentHealthy", "disruptionsAllowed"),
				"its last status stands, and none of its pods counts as healthy or may be disrupted")
			return s.Edits()
		},
	}
}

// karmadas makes a status with Karmada's own code. The counts named are 0 in a member that cannot be asked.
func karmadas(serving ...string) func(*unstructured.Unstructured, []family.Member) (map[string]any, error) {
	interpreter := native.NewDefaultInterpreter()
	return func(template *unstructured.Unstructured, members []family.Member) (map[string]any, error) {
		items := make([]workv1alpha2.AggregatedStatusItem, 0, len(members))
		for _, m := range members {
			item, err := itemOf(m, serving)
			if err != nil {
				return nil, aggregate.At(m, err)
			}
			// Karmada stops at the first status that it cannot read, and does not say whose it is.
			if _, err := interpreter.AggregateStatus(template.DeepCopy(), []workv1alpha2.AggregatedStatusItem{item}); err != nil {
				return nil, aggregate.At(m, &field.Error{Detail: err.Error()})
			}
			items = append(items, item)
		}
		out, err := interpreter.AggregateStatus(template, items)
		if err != nil {
			return nil, err
		}
		status, err := field.Map(out.Object, "status")
		if err != nil {
			return nil, err
		}
		return maps.Clone(status), nil
	}
}

func itemOf(m family.Member, serving []string) (workv1alpha2.AggregatedStatusItem, error) {
	item := workv1alpha2.AggregatedStatusItem{
		ClusterName: m.Cluster, Health: m.Health, Applied: m.Applied, AppliedMessage: m.AppliedMessage,
	}
	if m.Status == nil {
		return item, nil
	}
	status := maps.Clone(m.Status)
	if m.Unreachable != "" {
		for _, name := range serving {
			delete(status, name)
		}
	}
	raw, err := json.Marshal(status)
	if err != nil {
		return item, err
	}
	item.Status = &runtime.RawExtension{Raw: raw}
	return item, nil
}

// ended is true for the status of a Job that is Complete or Failed.
func ended(status map[string]any) bool {
	conditions, _ := status["conditions"].([]any)
	return slices.ContainsFunc(conditions, func(item any) bool {
		c, _ := item.(map[string]any)
		return (c["type"] == "Complete" || c["type"] == "Failed") && c["status"] == "True"
	})
}
