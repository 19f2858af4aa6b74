package wave

import (
	"maps"
	"slices"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// Group is a wave: the Components that changed templates tie to each other.
type Group struct {
	// Templates that changed, sorted; "" stands for package render.
	Templates []string
	Members   []*Member
}

// Candidate is a Component: what it waits for, if it does, and the templates that match it.
type Candidate struct {
	Component *v1alpha1.Component
	Waits     *Waits
	// Matching are the names of the templates that match it today.
	Matching []string
}

// Groups are the waves under way. A Component that has a change belongs to the wave of those that still wait for it, so that one
// that fails stops it; where nobody waits any more there is no wave. Two templates changed at once are one wave where a Component
// waits for both; where none does a Component may belong to both waves: to those of all changes that it has, and of the one it waits for.
func Groups(all []Candidate) []Group {
	tied := map[string]string{}
	var root func(name string) string
	root = func(name string) string {
		if up, there := tied[name]; there && up != name {
			return root(up)
		}
		return name
	}
	for _, of := range all {
		if of.Waits == nil {
			continue
		}
		for _, name := range of.changed() {
			if _, there := tied[name]; !there {
				tied[name] = name
			}
			tied[root(name)] = root(of.changed()[0])
		}
	}
	groups := map[string]*Group{}
	for _, name := range slices.Sorted(maps.Keys(tied)) {
		g := groups[root(name)]
		if g == nil {
			g = &Group{}
			groups[root(name)] = g
		}
		g.Templates = append(g.Templates, name)
	}
	for i := range all {
		for _, m := range all[i].memberships() {
			if _, there := tied[m.template]; !there || groups[root(m.template)].is(m.Component) {
				continue
			}
			g := groups[root(m.template)]
			g.Members = append(g.Members, m.Member)
		}
	}
	out := make([]Group, 0, len(groups))
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, *groups[name])
	}
	return out
}

// changed are the templates it waits for: one that no template explains waits for package render.
func (of *Candidate) changed() []string {
	if len(of.Waits.Changed) == 0 {
		return []string{renderer}
	}
	return of.Waits.Changed
}

// membership in the wave of a template.
type membership struct {
	template string
	*Member
}

// memberships of a Component: in the wave of what it waits for, and in those of all changes that it was given, of which it tells how they
// are. The first of one wave counts.
func (of *Candidate) memberships() []membership {
	var out []membership
	if of.Waits != nil {
		out = append(out, membership{of.changed()[0], &Member{Component: of.Component, Waits: of.Waits}})
	}
	revision := of.Component.Status.TemplateRevision
	if revision == nil || revision.Since == nil {
		return out
	}
	has := &Member{Component: of.Component}
	// A template that was deleted, or no longer matches, ties those that were given that change to those that wait for it.
	for _, name := range slices.Concat([]string{renderer}, of.Matching, revision.Changed) {
		out = append(out, membership{name, has})
	}
	return out
}

// is a member of the group already: members come one after the other.
func (g *Group) is(component *v1alpha1.Component) bool {
	return len(g.Members) > 0 && g.Members[len(g.Members)-1].Component == component
}
