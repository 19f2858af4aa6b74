package render

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// Version is raised by a change of this package that changes the bytes of an object: such a change is brought out as a
// change of a template is, never by the start of a new controller.
const Version = 2

// Variables are the cluster's, by the KEY of $(cluster.KEY).
type Variables map[string]string

// Object is a rendered object.
type Object struct {
	APIVersion, Kind, Namespace, Name string
	// Content is the object.
	Content map[string]any
	// JSON is Content in one way of writing it: keys sorted, no nulls.
	JSON []byte
	// Hash is the SHA-256 of JSON, in hexadecimal.
	Hash string
	// From names the layers above the skeleton that had a say, in order: LEVEL/TEMPLATE, spec, patches[N].
	From []string
}

// WithoutReplicas is the workload as it is applied while an autoscaler sets its replicas.
func (o Object) WithoutReplicas() (Object, error) {
	return o.changed(func(content map[string]any) error {
		unstructured.RemoveNestedField(content, "spec", "replicas")
		return nil
	})
}

// Report tells about a rendering as a whole.
type Report struct {
	// Templates that match the component, in the order they were laid.
	Templates []Template
	// Notes are what the objects alone do not show, for a person.
	Notes []string
	// Hash is the SHA-256 of all objects.
	Hash string
}

// Template is a template that was used.
type Template struct {
	Level      v1alpha1.TemplateLevel
	Name       string
	Generation int64
}

// Render makes the objects of a component from the templates of one cluster, in the order in which they can be applied.
// The input is not changed. An error is always an *Error.
func Render(component *v1alpha1.Component, templates []v1alpha1.ComponentTemplate, variables Variables) ([]Object, Report, error) {
	names, err := namesOf(component)
	if err != nil {
		return nil, Report{}, err
	}
	matching, err := Match(component, templates)
	if err != nil {
		return nil, Report{}, err
	}
	r := renderer{component: component, names: names, wanted: map[identity]*wanted{}}
	r.want(r.own()...)
	if err := r.readTemplates(matching, variablesOf(component, variables)); err != nil {
		return nil, Report{}, err
	}
	if err := r.readPatches(); err != nil {
		return nil, Report{}, err
	}
	objects, err := r.build()
	if err != nil {
		return nil, Report{}, err
	}
	report := Report{Notes: r.notes(), Hash: hashOf(objects)}
	for _, t := range matching {
		report.Templates = append(report.Templates, Template{t.Spec.Level, t.Name, t.Generation})
	}
	return objects, report, nil
}

// identity tells objects of one component apart.
type identity struct {
	kind v1alpha1.TemplateObjectKind
	name string
}

// wanted is an object to be, and what has a say in it beside the skeleton and the spec.
type wanted struct {
	identity
	templates, patches []layer
}

// layer is a strategic merge patch that was read and found to fit the kind.
type layer struct {
	// from is how a person is told of it.
	from string
	// at is where it stands, for errors of the merge.
	at    *Error
	patch map[string]any
}

type renderer struct {
	component *v1alpha1.Component
	names     names
	wanted    map[identity]*wanted
}

func (r *renderer) want(all ...identity) {
	for _, id := range all {
		if r.wanted[id] == nil {
			r.wanted[id] = &wanted{identity: id}
		}
	}
}

// own are the component's own objects.
func (r *renderer) own() []identity {
	out := []identity{{r.workloadKind(), r.names.workload}}
	if r.hasService() {
		out = append(out, identity{kindService, r.names.service})
	}
	if r.names.balancer != "" {
		out = append(out, identity{kindService, r.names.balancer})
	}
	if r.component.Spec.Ingress != nil {
		out = append(out, identity{kindIngress, r.names.ingress})
	}
	return out
}

func (r *renderer) workloadKind() v1alpha1.TemplateObjectKind {
	return v1alpha1.TemplateObjectKind(r.component.Spec.WorkloadType)
}

func (r *renderer) hasService() bool { return r.component.Spec.Svc.Type != v1alpha1.ServiceNone }

// build merges the layers of every object. The workload comes first, since the Service follows the name of its port.
func (r *renderer) build() ([]Object, error) {
	workload := identity{r.workloadKind(), r.names.workload}
	built, err := r.merge(r.wanted[workload], nil)
	if err != nil {
		return nil, err
	}
	objects := []Object{built}
	for id, w := range r.wanted {
		if id == workload {
			continue
		}
		object, err := r.merge(w, objects[0].Content)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	slices.SortFunc(objects, func(a, b Object) int {
		if order := kinds[v1alpha1.TemplateObjectKind(a.Kind)].order - kinds[v1alpha1.TemplateObjectKind(b.Kind)].order; order != 0 {
			return order
		}
		return strings.Compare(a.Name, b.Name)
	})
	return objects, nil
}

// notes are what a person who reads the objects should know beside.
func (r *renderer) notes() []string {
	if r.component.Spec.Strategy.Type == v1alpha1.StrategyCanary {
		return []string{"the objects are shown as they are after the last canary step"}
	}
	return nil
}
