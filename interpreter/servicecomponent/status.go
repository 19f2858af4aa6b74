package servicecomponent

import (
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/podtemplate"
)

// counts are summed over the members.
var counts = []string{"replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "expectedUpdatedReplicas"}

// united are the lists in which everything of every member stands, with its cluster.
var united = []aggregate.List{
	{Name: "endpoints", Limit: componentv1alpha1.MaxEndpoints, By: []string{"type", "url"}},
	{Name: "templates", Limit: componentv1alpha1.MaxTemplates, By: []string{"name"}},
	{Name: "resources", Limit: componentv1alpha1.MaxRenderedResources, By: []string{"kind", "name"}},
}

func aggregateStatus(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	s := aggregate.Begin(object, members, counts...)
	s.Revisions()
	s.Add(selector)
	for _, list := range united {
		s.Unite(list)
	}
	s.Add(loadBalancer)
	s.Unite(aggregate.List{Name: "pendingApprovals", Limit: gatev1alpha1.MaxPendingApprovals, By: []string{"since", "operationID"}})
	s.Add(requests)
	s.Add(canary)
	s.StandardConditions(componentv1alpha1.ConditionRendered, componentv1alpha1.ConditionReady,
		componentv1alpha1.ConditionLoadBalancerReady)
	return s.Edits()
}

// selector is the members': the labels of the pods are the templates' to choose, so the control plane knows none before.
func selector(members []family.Member, into map[string]any) error {
	text, err := aggregate.Text(members, "selector")
	if text != "" {
		into["selector"] = text
	}
	return err
}

// loadBalancer unites the members' addresses, each once.
func loadBalancer(members []family.Member, into map[string]any) error {
	items, err := aggregate.Collect(members, "loadBalancer", "ingress")
	if err != nil {
		return err
	}
	var list []any
	for _, item := range items {
		known := slices.ContainsFunc(list, func(have any) bool { return reflect.DeepEqual(have, item.Object) })
		if !known && len(list) < componentv1alpha1.MaxLoadBalancerIngress {
			list = append(list, item.Object)
		}
	}
	if len(list) > 0 {
		into["loadBalancer"] = map[string]any{"ingress": list}
	}
	return nil
}

// requests is the largest a replica takes in any member: the scheduler has one figure for all of them, and with a
// smaller one it would send replicas where they do not fit.
func requests(members []family.Member, into map[string]any) error {
	largest := corev1.ResourceList{}
	for _, m := range members {
		amounts, err := podtemplate.ResourceList(m.Status, "requests")
		if err != nil {
			return aggregate.At(m, err)
		}
		for name, amount := range amounts {
			if have, ok := largest[name]; !ok || amount.Cmp(have) > 0 {
				largest[name] = amount
			}
		}
	}
	if len(largest) == 0 {
		return nil
	}
	out := make(map[string]any, len(largest))
	for name, amount := range largest {
		out[string(name)] = amount.String()
	}
	into["requests"] = out
	return nil
}

// canary is the slowest member's. While any member waits after its step the fleet does.
func canary(members []family.Member, into map[string]any) error {
	var slowest map[string]any
	var least int32
	for _, m := range members {
		state, err := field.Map(m.Status, "canary")
		if err != nil {
			return aggregate.At(m, err)
		}
		if state == nil {
			continue
		}
		step, err := field.Count(state, 0, "step")
		if err != nil {
			return aggregate.At(m, field.Under(err, "canary"))
		}
		if slowest == nil || step < least || step == least && rank(state) < rank(slowest) {
			slowest, least = state, step
		}
	}
	if slowest != nil {
		slowest = maps.Clone(slowest)
		delete(slowest, "before") // a name within that member
		into["canary"] = slowest
	}
	return nil
}

// rank orders states of one step: the one furthest from the end first.
func rank(canary map[string]any) int {
	state, _ := canary["state"].(string)
	return slices.Index([]string{
		string(componentv1alpha1.CanaryProgressing), string(componentv1alpha1.CanaryPaused), string(componentv1alpha1.CanaryCompleted),
	}, state)
}
