package wave

import (
	"testing"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

func TestWithout(t *testing.T) {
	base, zone := template(t, "base", "1"), template(t, "zone", "$(cluster.zone)")
	extra := object(t, "extra", "Service", `{"spec":{"ports":[{"port":81}]}}`)
	extra.Spec.Objects[0].Name = "$(component.name)-extra"
	const patch = `{spec: {patches: [{target: {kind: Service, name: demo-extra}, patch: {metadata: {labels: {a: b}}}}]}}`
	label := template(t, "label", "1")
	label.Spec.Objects[0].Object.Raw = []byte(`{"metadata":{"labels":{"team":"a"}}}`)
	other := template(t, "other", "1")
	other.Spec.Match.Languages = []string{"go"}
	for name, tc := range map[string]struct {
		there []v1alpha1.ComponentTemplate
		more  string
		gone  string
		want  Loss
	}{
		"pods differ":             {there: []v1alpha1.ComponentTemplate{base}, gone: "base", want: Loss{Changes: true, Restarts: true}},
		"a label alone":           {there: []v1alpha1.ComponentTemplate{base, label}, gone: "label", want: Loss{Changes: true}},
		"it says what others say": {there: []v1alpha1.ComponentTemplate{base, template(t, "same", "1")}, gone: "same"},
		"it does not match":       {there: []v1alpha1.ComponentTemplate{base, other}, gone: "other"},
		"there is none":           {there: []v1alpha1.ComponentTemplate{base}, gone: "nosuch"},
		"nothing is rendered today": {
			there: []v1alpha1.ComponentTemplate{base, zone}, gone: "base",
		},
		"an object of its own": {
			there: []v1alpha1.ComponentTemplate{object(t, "budget", "PodDisruptionBudget", `{"spec":{"maxUnavailable":1}}`)}, gone: "budget",
			want: Loss{Changes: true},
		},
		"a patch of the Component speaks of what it brought": {
			there: []v1alpha1.ComponentTemplate{extra}, more: patch, gone: "extra", want: Loss{Changes: true, Unfit: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := Without(component(t, tc.more), tc.there, nil, tc.gone)
			if err != nil || have != tc.want {
				t.Errorf("loses %+v, want %+v (%v)", have, tc.want, err)
			}
		})
	}
}

// object is a template with an object of its own.
func object(t *testing.T, name string, kind v1alpha1.TemplateObjectKind, raw string) v1alpha1.ComponentTemplate {
	t.Helper()
	out := template(t, name, "1")
	out.Spec.Objects[0].Kind, out.Spec.Objects[0].Object.Raw = kind, []byte(raw)
	return out
}
