package servicecomponent

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/interpreter/aggregate"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/podtemplate"
)

// counts are summed over the members.
var counts = []string{"replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "expectedUpdatedReplicas"}

// united are the lists in which everything of every member stands, with its cluster.
var united = []struct {
	name  string
	limit int
	by    []string
}{
	{"endpoints", componentv1alpha1.MaxEndpoints, []string{"type", "url"}},
	{"templates", componentv1alpha1.MaxTemplates, []string{"name"}},
	{"resources", componentv1alpha1.MaxRenderedResources, []string{"kind", "name"}},
}

func aggregateStatus(object *unstructured.Unstructured, members []family.Member) (edit.List, error) {
	members = aggregate.Ordered(members)
	status := map[string]any{}
	if err := aggregate.Sum(members, status, counts...); err != nil {
		return nil, err
	}
	generation, err := aggregate.ObservedGeneration(object, members)
	if err != nil {
		return nil, err
	}
	status["observedGeneration"] = generation
	if err := aggregate.Revisions(object, members, status); err != nil {
		return nil, err
	}
	if err := selector(members, status); err != nil {
		return nil, err
	}
	for _, list := range united {
		items, _, err := aggregate.Unite(members, list.limit, list.by, list.name)
		if err != nil {
			return nil, err
		}
		if len(items) > 0 {
			status[list.name] = items
		}
	}
	for _, add := range []func([]family.Member, map[string]any) error{loadBalancer, requests, canary} {
		if err := add(members, status); err != nil {
			return nil, err
		}
	}
	conditions, err := aggregate.StandardConditions(object, members, generation,
		componentv1alpha1.ConditionRendered, componentv1alpha1.ConditionReady, componentv1alpha1.ConditionLoadBalancerReady)
	if err != nil {
		return nil, err
	}
	if len(conditions) > 0 {
		status["conditions"] = conditions
	}
	return aggregate.Replace(status), nil
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
