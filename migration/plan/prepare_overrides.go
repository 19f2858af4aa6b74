package plan

import (
	"encoding/json"
	"strings"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// overrides come before policies and these before templates: a template must never be rendered without them.
func (j *journey) overrides() outcome {
	var wrote []string
	for i := range j.resources {
		resource := &j.resources[i]
		if resource.Local != "" {
			continue
		}
		existing := j.Control.Overrides[resource.Policy.Name]
		switch {
		case resource.Override == nil && existing != nil && existing.Labels[v1alpha1.LabelManagedBy] != "":
			// Differences that are gone in the members go from the overrides too: an empty rule list keeps
			// the object, so that nobody else's takes its name.
			if len(existing.Spec.OverrideRules) == 0 {
				continue
			}
			emptied := existing.DeepCopy()
			emptied.Spec.OverrideRules = []policyv1alpha1.RuleWithCluster{}
			j.act(Action{Verb: WriteOverride, Ref: overrideRef(existing.Name), Over: emptied, Seen: seen(existing)})
		case resource.Override != nil && (existing == nil ||
			!sameRules(existing.Spec, resource.Override.Spec) || !subset(existing.Labels, resource.Override.Labels)):
			j.act(Action{Verb: WriteOverride, Ref: overrideRef(resource.Override.Name), Over: resource.Override, Seen: seen(existing)})
		default:
			continue
		}
		wrote = append(wrote, resource.Policy.Name)
	}
	if len(wrote) > 0 {
		return j.written("overrides " + strings.Join(wrote, ", "))
	}
	return proceed
}

// sameRules compares overrides as JSON: values come back with other whitespace than they were sent with.
func sameRules(a, b policyv1alpha1.OverrideSpec) bool {
	return equality.Semantic.DeepEqual(plain(a.OverrideRules), plain(b.OverrideRules)) &&
		equality.Semantic.DeepEqual(a.ResourceSelectors, b.ResourceSelectors)
}

func plain(value any) any {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil
	}
	return out
}
