package wave

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

func component(t testing.TB, more string) *v1alpha1.Component {
	t.Helper()
	out := &v1alpha1.Component{}
	for _, text := range []string{`
metadata: {name: demo, namespace: shop, generation: 1}
spec: {workloadType: Deployment, developLanguage: python, runType: server, image: python-demo:latest, port: 8080}
status: {observedGeneration: 1}`, more} {
		if err := yaml.UnmarshalStrict([]byte(text), out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// template adds a variable to every pod.
func template(t testing.TB, name, value string) v1alpha1.ComponentTemplate {
	t.Helper()
	out := v1alpha1.ComponentTemplate{}
	text := `{metadata: {name: ` + name + `}, spec: {level: Cluster, objects: [{kind: Deployment, object: {spec: {template: {spec: {containers:
  [{name: main, env: [{name: A, value: "` + value + `"}]}]}}}}}]}}`
	if err := yaml.UnmarshalStrict([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// settled is the component as its controller leaves it with these templates.
func settled(t *testing.T, c *v1alpha1.Component, templates ...v1alpha1.ComponentTemplate) (*v1alpha1.Component, *Revision) {
	t.Helper()
	choice, err := Choose(Input{Component: c, Templates: templates})
	if err != nil || choice.Err != nil || !choice.Take {
		t.Fatalf("a new component takes what there is: %+v, %v", choice, err)
	}
	out := c.DeepCopy()
	out.Status.TemplateRevision = &v1alpha1.TemplateRevision{Name: choice.Name, Applied: choice.Name}
	for _, o := range choice.Objects {
		out.Status.Resources = append(out.Status.Resources, v1alpha1.RenderedResource{Kind: o.Kind, Name: o.Name, Hash: o.Hash})
	}
	return out, &choice.Revision
}

func TestChoose(t *testing.T) {
	type list = []v1alpha1.ComponentTemplate
	one := template(t, "base", "1")
	wrong := template(t, "base", "$(cluster.nosuch)")
	paced := *one.DeepCopy()
	paced.Generation, paced.Spec.Wave = 7, &v1alpha1.Wave{BatchPercents: []int32{100}}
	asUsual := *one.DeepCopy()
	asUsual.Spec.Objects[0].Object.Raw = []byte(strings.Replace(string(one.Spec.Objects[0].Object.Raw), `"spec":`,
		`"metadata":{"labels":{"app.kubernetes.io/managed-by":"argosy"}},"spec":`, 1))
	for name, tc := range map[string]struct {
		today  list
		values render.Variables
		edit   func(*v1alpha1.Component)
		kept   func(*Revision) *Revision
		// want: same, takes, waits, waits and restarts, does not fit, held.
		want, changed string
	}{
		"nothing changed":       {today: list{one}, want: "same"},
		"another pace alone":    {today: list{paced}, want: "same"},
		"a change of its bytes": {today: list{template(t, "base", "2")}, want: "restarts", changed: "base"},
		"a value that a template names": {
			today: list{template(t, "base", "$(cluster.zone)")}, values: render.Variables{"zone": "b"}, want: "restarts", changed: "base",
		},
		"a value that nobody names":     {today: list{one}, values: render.Variables{"zone": "b"}, want: "same"},
		"a change that changes no byte": {today: list{asUsual}, want: "takes"},
		"one template more":             {today: list{one, template(t, "more", "2")}, want: "restarts", changed: "more"},
		"the template is gone":          {want: "restarts", changed: "base"},
		"it does not fit":               {today: list{wrong}, want: "unfit", changed: "base"},
		"edited, while a change waits": {
			today: list{template(t, "base", "2")}, edit: func(c *v1alpha1.Component) { c.Generation, c.Spec.Image = 2, "new" },
			want: "restarts", changed: "base",
		},
		"its copy is gone, and the bytes differ": {
			today: list{template(t, "base", "2")}, kept: func(*Revision) *Revision { return nil }, want: "held",
		},
		"its copy is gone, and it is as today": {today: list{asUsual}, kept: func(*Revision) *Revision { return nil }, want: "takes"},
		"made before there were revisions, another byte": {
			today: list{template(t, "base", "2")}, edit: func(c *v1alpha1.Component) { c.Status.TemplateRevision = nil }, want: "held",
		},
		"made before there were revisions, the same": {
			today: list{one}, edit: func(c *v1alpha1.Component) { c.Status.TemplateRevision = nil }, want: "takes",
		},
		"another renderer that makes other bytes": {
			today: list{template(t, "base", "2")}, want: "held",
			kept: func(r *Revision) *Revision { r.RenderVersion = render.Version - 1; return r },
		},
		"another renderer, and the component was edited: its templates come along": {
			today: list{template(t, "base", "2")}, want: "takes", edit: func(c *v1alpha1.Component) { c.Generation = 2 },
			kept: func(r *Revision) *Revision { r.RenderVersion = render.Version - 1; return r },
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, kept := settled(t, component(t, ""), one)
			if tc.edit != nil {
				tc.edit(c)
			}
			if tc.kept != nil {
				kept = tc.kept(kept)
			}
			choice, err := Choose(Input{Component: c, Templates: tc.today, Values: tc.values, Kept: kept})
			if err != nil {
				t.Fatal(err)
			}
			have := "same"
			waits := choice.Waits
			switch {
			case choice.Unknown:
				have = "held"
			case choice.Take:
				have = "takes"
			case waits != nil && waits.Err != nil:
				have = "unfit"
			case waits != nil && waits.Restarts:
				have = "restarts"
			case waits != nil:
				have = "waits"
			}
			if have != tc.want || choice.Err != nil {
				t.Fatalf("have %s (%v), want %s", have, choice.Err, tc.want)
			}
			if waits != nil && tc.changed != "" && strings.Join(waits.Changed, ",") != tc.changed {
				t.Errorf("waits for %q, want %q", waits.Changed, tc.changed)
			}
			// What is rendered meanwhile has the variable of before.
			if waits == nil || choice.Unknown {
				return
			}
			if raw := string(choice.Objects[len(choice.Objects)-1].JSON); !strings.Contains(raw, `{"name":"A","value":"1"}`) {
				t.Errorf("while it waits it is rendered as %s", raw)
			}
		})
	}
}

// TestEditedUnderAnotherRenderer: a component that was edited while another renderer's change waits keeps its templates.
func TestEditedUnderAnotherRenderer(t *testing.T) {
	c, kept := settled(t, component(t, ""), template(t, "base", "1"))
	c.Generation, c.Spec.Image, kept.RenderVersion = 2, "new", render.Version-1
	choice, err := Choose(Input{Component: c, Templates: []v1alpha1.ComponentTemplate{template(t, "base", "2")}, Kept: kept})
	if err != nil {
		t.Fatal(err)
	}
	raw := string(choice.Objects[len(choice.Objects)-1].JSON)
	if !strings.Contains(raw, `{"name":"A","value":"1"}`) || !strings.Contains(raw, `"image":"new"`) ||
		choice.Revision.RenderVersion != render.Version {
		t.Errorf("rendered by %d as %s", choice.Revision.RenderVersion, raw)
	}
}
