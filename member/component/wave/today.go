package wave

import (
	"strings"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// Today is what the templates and values of a cluster are at one moment, for all its Components. Those that the same templates match have
// the same revision, which is copied and named once for all of them: that is dear, and there are thousands of Components but few such sets.
// It is for one goroutine.
type Today struct {
	Templates []v1alpha1.ComponentTemplate
	Values    render.Variables
	// known revisions, by the names of the templates that match.
	known map[string]*Named
}

// Named is a revision with its name. It belongs to many Components: nobody changes it.
type Named struct {
	Revision Revision
	Name     string
	// Matching are the names of its templates, in the order in which they are laid.
	Matching []string
}

// At is the moment of these templates and values, which nobody changes any more.
func At(templates []v1alpha1.ComponentTemplate, values render.Variables) *Today {
	return &Today{Templates: templates, Values: values, known: map[string]*Named{}}
}

// Of is the revision of one Component. A template that cannot be compared with it makes an error, as in rendering.
func (t *Today) Of(component *v1alpha1.Component) (*Named, error) {
	matching, err := render.Match(component, t.Templates)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(matching))
	for _, template := range matching {
		names = append(names, template.Name)
	}
	// No name of an object has a comma.
	key := strings.Join(names, ",")
	if known := t.known[key]; known != nil {
		return known, nil
	}
	out := &Named{Revision: of(matching, t.Values), Matching: names}
	if out.Name, err = out.Revision.Name(); err != nil {
		return nil, err
	}
	t.known[key] = out
	return out, nil
}

// Unreadable says which template no Component can be compared with; nil: there is none. Nobody knows then who waits for what.
func (t *Today) Unreadable() error {
	_, err := render.Match(&v1alpha1.Component{}, t.Templates)
	return err
}

// Rest is what is told of a template that no wave speaks of, of which before was told: its change has reached everybody. Nil: nothing is,
// for nothing was told before, or nobody knows who waits.
func (t *Today) Rest(before *v1alpha1.WaveStatus) *v1alpha1.WaveStatus {
	if before == nil || t.Unreadable() != nil {
		return nil
	}
	return &v1alpha1.WaveStatus{
		ControllerID: before.ControllerID, State: v1alpha1.WaveRolledOut, Components: before.Components, Updated: before.Components,
		Message: "It has reached every component.",
	}
}
