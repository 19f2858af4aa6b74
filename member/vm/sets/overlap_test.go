package sets

import (
	"testing"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// TestSelects: a selector that asks for less than another's labels have selects its servers too.
func TestSelects(t *testing.T) {
	set := func(match, have map[string]v1alpha1.LabelValue) *v1alpha1.VMReplicaSet {
		out := &v1alpha1.VMReplicaSet{}
		out.Spec.Selector.MatchLabels, out.Spec.Template.Metadata.Labels = match, have
		return out
	}
	type labels = map[string]v1alpha1.LabelValue
	for name, tc := range map[string]struct {
		match, have labels
		want        bool
	}{
		"the same":    {labels{"app": "web"}, labels{"app": "web"}, true},
		"less":        {labels{"app": "web"}, labels{"app": "web", "tier": "a"}, true},
		"more":        {labels{"app": "web", "tier": "a"}, labels{"app": "web"}, false},
		"another":     {labels{"app": "web"}, labels{"app": "db"}, false},
		"no selector": {nil, labels{"app": "web"}, false},
	} {
		if have := selects(set(tc.match, nil), set(nil, tc.have)); have != tc.want {
			t.Errorf("%s: %v", name, have)
		}
	}
}
