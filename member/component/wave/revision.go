package wave

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// Revision is all that decides the bytes of a Component beside itself.
type Revision struct {
	// RenderVersion of package render: another one may make other bytes of the same.
	RenderVersion int `json:"renderVersion"`
	// Templates that match, in the order in which they are laid.
	Templates []Template `json:"templates,omitempty"`
	// Values of the cluster that the templates name.
	Values map[string]string `json:"values,omitempty"`
}

// Template is one of them. How fast it is brought out does not belong to what it says.
type Template struct {
	Name       string                         `json:"name"`
	Generation int64                          `json:"generation"`
	Spec       v1alpha1.ComponentTemplateSpec `json:"spec"`
}

// clusterValue finds the values a template names.
var clusterValue = regexp.MustCompile(`\$\(cluster\.([^()]+)\)`)

// Of is the revision that the templates and values of a cluster are for one Component. A template that cannot be compared with it
// makes an error, as in rendering.
func Of(component *v1alpha1.Component, templates []v1alpha1.ComponentTemplate, values render.Variables) (Revision, error) {
	matching, err := render.Match(component, templates)
	if err != nil {
		return Revision{RenderVersion: render.Version}, err
	}
	return of(matching, values), nil
}

// of is the revision of what these templates, in the order in which they are laid, match.
func of(matching []*v1alpha1.ComponentTemplate, values render.Variables) Revision {
	out := Revision{RenderVersion: render.Version}
	for _, t := range matching {
		spec := *t.Spec.DeepCopy()
		spec.Wave = nil
		out.Templates = append(out.Templates, Template{Name: t.Name, Generation: t.Generation, Spec: spec})
		out.name(spec, values)
	}
	return out
}

// name notes the values that a template names and the cluster has.
func (r *Revision) name(spec v1alpha1.ComponentTemplateSpec, values render.Variables) {
	texts := make([]string, 0, 2*len(spec.Objects))
	for _, o := range spec.Objects {
		texts = append(texts, o.Name, string(o.Object.Raw))
	}
	for _, text := range texts {
		for _, found := range clusterValue.FindAllStringSubmatch(text, -1) {
			value, known := values[found[1]]
			if !known {
				continue
			}
			if r.Values == nil {
				r.Values = map[string]string{}
			}
			r.Values[found[1]] = value
		}
	}
}

// Name is the same for the same content, whatever the templates' generations.
func (r Revision) Name() (string, error) {
	content := Revision{RenderVersion: r.RenderVersion, Values: r.Values}
	for _, t := range r.Templates {
		content.Templates = append(content.Templates, Template{Name: t.Name, Spec: t.Spec})
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("naming a revision of templates: %w", err)
	}
	sum := sha256.Sum256(raw)
	return "component-templates-" + hex.EncodeToString(sum[:8]), nil
}

// render makes the objects of a component from the revision.
func (r Revision) render(component *v1alpha1.Component) ([]render.Object, render.Report, error) {
	templates := make([]v1alpha1.ComponentTemplate, 0, len(r.Templates))
	for _, t := range r.Templates {
		templates = append(templates, v1alpha1.ComponentTemplate{
			ObjectMeta: metav1.ObjectMeta{Name: t.Name, Generation: t.Generation}, Spec: t.Spec,
		})
	}
	return render.Render(component, templates, r.Values)
}

// renderer is what changes where package render is another.
const renderer = ""

// Untold is, in words, a change of templates that were deleted; an empty name stands for package render.
func Untold(templates []string) string {
	var names, all []string
	for _, name := range templates {
		if name == renderer {
			all = append(all, "a new version of the controller")
			continue
		}
		names = append(names, name)
	}
	if len(names) > 0 {
		all = append(all, "the deletion of ComponentTemplate "+strings.Join(names, ", "))
	}
	return strings.Join(all, " and ")
}

// changed are the templates that are not the same in both, sorted; the renderer's name stands for package render.
func changed(a, b Revision) []string {
	var out []string
	if a.RenderVersion != b.RenderVersion {
		out = append(out, renderer)
	}
	said := func(r Revision) map[string]string {
		of := map[string]string{}
		for _, t := range r.Templates {
			// The text of a template with its values filled in is what it says here.
			raw, _ := json.Marshal(t.Spec) //nolint:errchkjson // It came from JSON.
			of[t.Name] = clusterValue.ReplaceAllStringFunc(string(raw), func(match string) string {
				if value, known := r.Values[strings.TrimSuffix(strings.TrimPrefix(match, "$(cluster."), ")")]; known {
					return value
				}
				return match
			})
		}
		return of
	}
	before, after := said(a), said(b)
	for name, text := range before {
		if now, there := after[name]; !there || now != text {
			out = append(out, name)
		}
	}
	for name := range after {
		if _, there := before[name]; !there {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
