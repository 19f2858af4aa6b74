package wave

import (
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// Input is what is known of one Component.
type Input struct {
	Component *v1alpha1.Component
	Templates []v1alpha1.ComponentTemplate
	Values    render.Variables
	// Kept is the copy of the revision in status.templateRevision; nil where there is none.
	Kept *Revision
}

// Choice is which revision a Component is rendered from, and what comes of it.
type Choice struct {
	// Revision to render from, by its name. Take is set where the Component may have it of itself: a copy of it is kept first.
	Revision Revision
	Name     string
	Take     bool
	// Objects and Report are what it becomes; both are empty where Err says why.
	Objects []render.Object
	Report  render.Report
	Err     error
	// Waits is set while the templates of today would make other bytes: it is given them by a wave.
	Waits *Waits
	// Unknown is set where Revision is not what made the objects that are there, so that these stay as they are: the manager that
	// made them rendered otherwise, or its copy is gone.
	Unknown bool
}

// Waits is what a Component waits for.
type Waits struct {
	Target Revision
	Name   string
	// Changed are the templates of which it waits for a change, sorted; "" is the renderer itself.
	Changed []string
	// Restarts is true where the change replaces pods.
	Restarts bool
	// Err says that the Component cannot be rendered from the templates of today, though it could from those of before.
	Err error
}

// Choose says which revision the Component is rendered from.
func Choose(in Input) (Choice, error) {
	target, err := Of(in.Component, in.Templates, in.Values)
	if err != nil {
		return in.unreadable(err)
	}
	out := Choice{Revision: target}
	if out.Name, err = target.Name(); err != nil {
		return out, err
	}
	status := in.Component.Status.TemplateRevision
	out.Objects, out.Report, out.Err = render.Render(in.Component, in.Templates, in.Values)
	known := status != nil && in.Kept != nil
	switch {
	case status != nil && status.Name == out.Name:
		return out, nil
	case status == nil && len(in.Component.Status.Resources) == 0:
		// Nothing runs that a change could harm.
		out.Take = true
		return out, nil
	case known && in.Kept.RenderVersion == render.Version:
		return in.compare(out, status.Name)
	case out.Err == nil && inPlace(in.Component, out.Objects):
		out.Take = true
		return out, nil
	}
	return in.unknown(out)
}

// unreadable is where no template of today can be compared with the Component.
func (in Input) unreadable(err error) (Choice, error) {
	status := in.Component.Status.TemplateRevision
	if status == nil || in.Kept == nil || in.Kept.RenderVersion != render.Version {
		return Choice{Err: err}, nil
	}
	out := Choice{Revision: *in.Kept, Name: status.Name}
	out.Objects, out.Report, out.Err = in.Kept.render(in.Component)
	if out.Err == nil {
		out.Waits = &Waits{Err: err, Changed: blamed(err)}
	}
	return out, nil
}

// blamed is the template that an error speaks of, if it does.
func blamed(err error) []string {
	var e *render.Error
	if errors.As(err, &e) && e.Kind == "ComponentTemplate" {
		return []string{e.Name}
	}
	return nil
}

// compare renders from the revision the Component has: one that makes the same bytes as today's is left for it.
func (in Input) compare(today Choice, name string) (Choice, error) {
	old := Choice{Revision: *in.Kept, Name: name}
	old.Objects, old.Report, old.Err = in.Kept.render(in.Component)
	if old.Err != nil || today.Err == nil && old.Report.Hash == today.Report.Hash {
		today.Take = true
		return today, nil
	}
	old.Waits = &Waits{Target: today.Revision, Name: today.Name, Changed: changed(*in.Kept, today.Revision), Err: today.Err}
	if today.Err != nil {
		return old, nil
	}
	var err error
	old.Waits.Restarts, err = Restarts(old.Objects, today.Objects)
	return old, err
}

// unknown is where nobody can tell what made the objects that are there.
func (in Input) unknown(today Choice) (Choice, error) {
	if today.Err != nil {
		return today, nil
	}
	if in.Component.Status.ObservedGeneration != in.Component.Generation {
		// The Component itself was changed, which it must follow; the templates it had come with it, where they are known.
		if in.Kept == nil {
			today.Take = true
			return today, nil
		}
		kept := *in.Kept
		kept.RenderVersion = render.Version
		out := Choice{Revision: kept, Take: true}
		var err error
		if out.Name, err = kept.Name(); err != nil {
			return out, err
		}
		out.Objects, out.Report, out.Err = kept.render(in.Component)
		return out, nil
	}
	out := today
	out.Unknown = true
	out.Waits = &Waits{Target: today.Revision, Name: today.Name, Changed: []string{renderer}, Restarts: true}
	if in.Kept != nil {
		out.Waits.Changed = changed(*in.Kept, today.Revision)
	}
	return out, nil
}

// inPlace is true where exactly the objects are there, byte for byte as the status tells. An autoscaled workload is applied
// without its replicas.
func inPlace(component *v1alpha1.Component, objects []render.Object) bool {
	there := map[string]string{}
	for _, r := range component.Status.Resources {
		there[r.Kind+" "+r.Name] = r.Hash
	}
	for i := range objects {
		o := &objects[i]
		hash := there[o.Kind+" "+o.Name]
		if hash == o.Hash {
			continue
		}
		bare, err := o.WithoutReplicas()
		if err != nil || hash != bare.Hash {
			return false
		}
	}
	return len(there) == len(objects)
}

// Restarts is true where pods are replaced: the pod template of the workload differs, or it is another workload.
func Restarts(before, after []render.Object) (bool, error) {
	old, errOld := podTemplate(before)
	next, errNext := podTemplate(after)
	if err := errors.Join(errOld, errNext); err != nil {
		return false, err
	}
	return old != next, nil
}

// podTemplate of the workload among objects, as JSON.
func podTemplate(objects []render.Object) (string, error) {
	for i := range objects {
		o := &objects[i]
		if o.Kind != string(v1alpha1.WorkloadDeployment) && o.Kind != string(v1alpha1.WorkloadStatefulSet) {
			continue
		}
		template, _, err := unstructured.NestedMap(o.Content, "spec", "template")
		if err != nil {
			return "", fmt.Errorf("reading the pod template of %s %s: %w", o.Kind, o.Name, err)
		}
		raw, err := json.Marshal(template)
		return o.Kind + "/" + o.Name + string(raw), err
	}
	return "", nil
}
