package render

import (
	"cmp"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// levels in their order.
var levels = []v1alpha1.TemplateLevel{v1alpha1.LevelCluster, v1alpha1.LevelWorkloadType, v1alpha1.LevelLanguage, v1alpha1.LevelRunType}

// Match gives the templates that speak of the component, in the order in which they are laid. An error is always an *Error.
func Match(component *v1alpha1.Component, templates []v1alpha1.ComponentTemplate) ([]*v1alpha1.ComponentTemplate, error) {
	var out []*v1alpha1.ComponentTemplate
	for i := range templates {
		t := &templates[i]
		if !slices.Contains(levels, t.Spec.Level) {
			return nil, templateError(t, field.NewPath("spec", "level"), fmt.Errorf("%q is none of %v", t.Spec.Level, levels))
		}
		matches, err := matchesComponent(t, component)
		if err != nil {
			return nil, err
		}
		if matches {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *v1alpha1.ComponentTemplate) int {
		return cmp.Or(
			cmp.Compare(slices.Index(levels, a.Spec.Level), slices.Index(levels, b.Spec.Level)),
			cmp.Compare(a.Spec.Priority, b.Spec.Priority),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return out, nil
}

func matchesComponent(t *v1alpha1.ComponentTemplate, component *v1alpha1.Component) (bool, error) {
	m, spec := t.Spec.Match, component.Spec
	selector := labels.Everything()
	if m.ComponentSelector != nil {
		parsed, err := metav1.LabelSelectorAsSelector(m.ComponentSelector)
		if err != nil {
			return false, templateError(t, field.NewPath("spec", "match", "componentSelector"), err)
		}
		selector = parsed
	}
	return allows(m.WorkloadTypes, spec.WorkloadType) && allows(m.Languages, spec.DevelopLanguage) && allows(m.RunTypes, spec.RunType) &&
		selector.Matches(labels.Set(component.Labels)), nil
}

// allows is true of a list that has the value, and of an empty one.
func allows[T comparable](list []T, value T) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

func templateError(t *v1alpha1.ComponentTemplate, path *field.Path, err error) *Error {
	return &Error{Kind: kindTemplate, Name: t.Name, Field: path, Err: err}
}

// readTemplates notes what each template says of which object.
func (r *renderer) readTemplates(matching []*v1alpha1.ComponentTemplate, variables variables) error {
	for _, t := range matching {
		for i, object := range t.Spec.Objects {
			if err := r.readTemplateObject(t, object, field.NewPath("spec", "objects").Index(i), variables); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *renderer) readTemplateObject(
	t *v1alpha1.ComponentTemplate, object v1alpha1.TemplateObject, path *field.Path, variables variables,
) error {
	k, known := kinds[object.Kind]
	if !known {
		return templateError(t, path.Child("kind"), fmt.Errorf("%q cannot be rendered", object.Kind))
	}
	id, wanted, err := r.target(object, variables)
	if err != nil {
		return templateError(t, path.Child("name"), err)
	}
	// What a template says of objects that this component has not is checked all the same: the next component may have them.
	path = path.Child("object")
	var patch map[string]any
	if err := json.Unmarshal(object.Object.Raw, &patch); err != nil {
		return templateError(t, path, err)
	}
	if at, err := variables.fill(patch, k.typ, path); err != nil {
		return templateError(t, at, err)
	}
	if at, err := fits(patch, object.Kind, path); err != nil {
		return templateError(t, at, err)
	}
	if !wanted {
		return nil
	}
	r.nameMain(patch)
	r.want(id)
	w := r.wanted[id]
	w.templates = append(w.templates, layer{from: string(t.Spec.Level) + "/" + t.Name, at: templateError(t, path, nil), patch: patch})
	return nil
}

// nameMain gives the main container the name it has in this component: a template calls it main and knows of no adoption.
func (r *renderer) nameMain(patch map[string]any) {
	containers, _ := below(patch, "spec", "template", "spec")["containers"].([]any)
	for _, item := range containers {
		if container, _ := item.(map[string]any); container["name"] == v1alpha1.MainContainer {
			container["name"] = r.names.container
		}
	}
}

// target is the object a template speaks of, and whether this component has it.
func (r *renderer) target(object v1alpha1.TemplateObject, variables variables) (identity, bool, error) {
	name, err := variables.expand(object.Name)
	if err != nil {
		return identity{}, false, err
	}
	id := identity{object.Kind, cmp.Or(name, r.component.Name)}
	switch object.Kind {
	case v1alpha1.TemplateObjectKind(v1alpha1.WorkloadDeployment), v1alpha1.TemplateObjectKind(v1alpha1.WorkloadStatefulSet):
		if name != "" {
			return identity{}, false, fmt.Errorf("a component has one workload, of its own name: leave the name of the %s out", object.Kind)
		}
		id.name = r.names.workload
		return id, object.Kind == r.workloadKind(), nil
	case kindService:
		id.name = cmp.Or(name, r.names.service)
		return id, name != "" && name != r.names.service || r.hasService(), nil
	case kindIngress:
		id.name = cmp.Or(name, r.names.ingress)
		return id, name != "" && name != r.names.ingress || r.component.Spec.Ingress != nil, nil
	}
	return id, true, nil
}
