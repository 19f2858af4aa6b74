package aggregate

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
)

// Status is a template's status in the making. Each step adds what it makes of the members' statuses; the first error is
// kept, and after it the steps do nothing, so that a kind's rule is the list of its steps.
type Status struct {
	template   *unstructured.Unstructured
	members    []family.Member
	generation int64
	out        map[string]any
	// hidden is how many objects of united lists are not shown, by the type of the condition that says so.
	hidden map[string]int
	err    error
}

// Begin sums the counts over the members and says which generation of the template all of them have observed.
func Begin(template *unstructured.Unstructured, members []family.Member, counts ...string) *Status {
	s := &Status{template: template, members: ordered(members), out: map[string]any{}, hidden: map[string]int{}}
	if s.err = sum(s.members, s.out, counts...); s.err != nil {
		return s
	}
	if s.generation, s.err = observedGeneration(template, s.members); s.err == nil {
		s.out["observedGeneration"] = s.generation
	}
	return s
}

// Add is a step of one kind's own.
func (s *Status) Add(step func(members []family.Member, into map[string]any) error) {
	if s.err == nil {
		s.err = step(s.members, s.out)
	}
}

// Revisions puts updateRevision and currentRevision: the revision being rolled out, as the members that have the present
// template name it, and the one it replaces: while any member still has an older one, that is shown.
func (s *Status) Revisions() {
	s.Add(func(members []family.Member, into map[string]any) error { return revisions(s.template, members, into) })
}

// Selector puts the label selector of the scale subresource under name: an autoscaler needs it also before any member
// has reported, so then it is made of spec.selector.
func (s *Status) Selector(name string) {
	s.Add(func(members []family.Member, into map[string]any) error {
		return selector(s.template, members, into, name)
	})
}

// UpdatedText puts a text as the members that have the present template say it; while none has, as any says it; empty
// when nobody says it.
func (s *Status) UpdatedText(name string) {
	s.Add(func(members []family.Member, into map[string]any) (err error) {
		into[name], err = updatedText(s.template, members, name)
		return err
	})
}

// SumBy puts a list of objects with the sums of their counts, item by item of one key, in the order of the keys.
func (s *Status) SumBy(list, key string, counts ...string) {
	s.Add(func(members []family.Member, into map[string]any) error {
		items, err := sumBy(members, list, key, counts...)
		put(into, list, items)
		return err
	})
}

// List is a list in which everything of every member stands, each object with its cluster's name under "cluster".
type List struct {
	Name string
	// Limit is how many are kept: the schema bounds the list, and an apiserver refuses the whole status beyond it.
	Limit int
	// By are the texts of the objects that order them, before the clusters.
	By []string
	// CutSaidIn is the type of the condition whose message says how many are not shown; empty: none does.
	CutSaidIn string
}

// Unite puts the members' lists as one.
func (s *Status) Unite(list List) {
	s.Add(func(members []family.Member, into map[string]any) error {
		items, hidden, err := unite(members, list)
		put(into, list.Name, items)
		s.hidden[list.CutSaidIn] = hidden
		return err
	})
}

// Conditions puts the members' conditions, merged into one per type, in the order of the types' names. The worst holds: a
// type named in good (such as Available) is True only when every member says so, and any other (such as FailedScale) is
// True when one member says so. What is not known is Unknown. The messages of the members that decided are kept, each
// with its clusters' names.
func (s *Status) Conditions(good ...string) {
	s.Add(func(members []family.Member, into map[string]any) error {
		merged, err := conditions(members, good...)
		put(into, "conditions", merged)
		return err
	})
}

// StandardConditions is Conditions for our own kinds, whose CRDs demand what metav1.Condition demands: a reason, a
// message and the time of the last transition. The time is kept from the template's status while the condition's
// status stays; else it is the newest the deciding members have. It comes after the lists whose cuts it tells.
func (s *Status) StandardConditions(good ...string) {
	s.Add(func(members []family.Member, into map[string]any) error {
		merged, err := standardConditions(s.template, members, s.generation, good...)
		for kind, hidden := range s.hidden {
			noteHidden(merged, kind, hidden)
		}
		put(into, "conditions", merged)
		return err
	})
}

// Edits gives the template the status: one edit, none when it has it.
func (s *Status) Edits() (edit.List, error) {
	if s.err != nil {
		return nil, s.err
	}
	return edit.List{edit.Set(s.out, "status")}, nil
}

// put leaves out an empty list, as the kinds' own controllers do.
func put(into map[string]any, name string, items []any) {
	if len(items) > 0 {
		into[name] = items
	}
}
