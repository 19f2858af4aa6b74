package wave

import (
	"slices"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// Loss is what becomes of a Component when a template is deleted.
type Loss struct {
	// Changes says that its objects become others, Restarts that its pods are replaced, Unfit that it cannot be rendered any more.
	Changes, Restarts, Unfit bool
}

// Without is what becomes of the Component without the template of that name. What cannot be rendered today loses nothing.
func Without(c *v1alpha1.Component, templates []v1alpha1.ComponentTemplate, values render.Variables, name string) (Loss, error) {
	matching, err := render.Match(c, templates)
	is := func(t *v1alpha1.ComponentTemplate) bool { return t.Name == name }
	if err != nil || !slices.ContainsFunc(matching, is) {
		return Loss{}, err
	}
	before, report, err := render.Render(c, templates, values)
	if err != nil {
		return Loss{}, nil //nolint:nilerr // It is not in place today either.
	}
	left := slices.DeleteFunc(slices.Clone(templates), func(t v1alpha1.ComponentTemplate) bool { return t.Name == name })
	after, next, err := render.Render(c, left, values)
	if err != nil {
		return Loss{Changes: true, Unfit: true}, nil //nolint:nilerr // It is told as unfit.
	}
	out := Loss{Changes: report.Hash != next.Hash}
	out.Restarts, err = Restarts(before, after)
	return out, err
}
