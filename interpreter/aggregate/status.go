package aggregate

import (
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// Status is a template's status in the making: the list of its steps, so that a kind's rule is that list.
type Status struct {
	template   *unstructured.Unstructured
	members    []family.Member
	counts     []string
	steps      []func(members []family.Member, into map[string]any) error
	generation int64
	// hidden is how many objects of united lists are not shown, by the type of the condition that says so.
	hidden map[string]int
	// standard is true where conditions must be what metav1.Condition demands.
	standard bool
	// secondTime is a time that a condition of the kind bears beside lastTransitionTime; empty: none.
	secondTime string
	// made is who makes the status instead of the sums and steps; nil: nobody.
	made func(template *unstructured.Unstructured, members []family.Member) (map[string]any, error)
	// ofSilent is what becomes of the status of a member that cannot be asked.
	ofSilent string
	// own are conditions of ours that must be said.
	own []ownCondition
}

// Begin sums the counts over the members and says which generation of the template all of them have observed.
func Begin(template *unstructured.Unstructured, members []family.Member, counts ...string) *Status {
	return &Status{template: template, members: slices.Clone(ordered(members)), counts: counts, ofSilent: noneReady}
}

// noneReady is what becomes of replicas in a member that cannot be asked.
const noneReady = "its last status stands, and none of its replicas counts as ready"

// MadeBy lets somebody else make the status of the template without conditions of ours and of the members; our conditions are put to what
// it makes. ofSilent says what it does with the status of a member that cannot be asked.
func (s *Status) MadeBy(by func(template *unstructured.Unstructured, members []family.Member) (map[string]any, error), ofSilent string) {
	s.made, s.ofSilent = by, ofSilent
}

// Add is a step of one kind's own.
func (s *Status) Add(step func(members []family.Member, into map[string]any) error) {
	s.steps = append(s.steps, step)
}

// Revisions puts updateRevision and currentRevision: the revision being rolled out, as the members that have the present
// template name it, and the one it replaces: while any member still has an older one, that is shown.
func (s *Status) Revisions() {
	s.Add(func(members []family.Member, into map[string]any) error { return revisions(s.template, members, into) })
}

// KeepRest keeps of the template's status what the members' do not say, as Karmada does of its own kinds: somebody else wrote it. It
// comes before the other steps.
func (s *Status) KeepRest() {
	s.Add(func(_ []family.Member, into map[string]any) error {
		before, err := field.Map(s.template.Object, "status")
		if err != nil {
			return err
		}
		for name, value := range before {
			if _, said := into[name]; !said {
				into[name] = value
			}
		}
		conditions, err := field.Slice(before, "conditions")
		if err != nil {
			return err
		}
		delete(into, "conditions")
		put(into, "conditions", notOwn(conditions))
		return nil
	})
}

// notOwn are the conditions that are not ours.
func notOwn(conditions []any) []any {
	return slices.DeleteFunc(slices.Clone(conditions), func(c any) bool { return IsOwn(word(c, "type")) })
}

// withoutOwn is a copy of the template as it would be if we said nothing there.
func withoutOwn(template *unstructured.Unstructured) *unstructured.Unstructured {
	out := template.DeepCopy()
	status, _ := out.Object["status"].(map[string]any)
	if conditions, ok := status["conditions"].([]any); ok {
		delete(status, "conditions")
		put(status, "conditions", notOwn(conditions))
	}
	return out
}

// UpdateTimes gives conditions of ours a lastUpdateTime, as a Deployment's have: karmada-apiserver stores one in any case.
func (s *Status) UpdateTimes() { s.secondTime = lastUpdateTime }

// ProbeTimes gives conditions of ours a lastProbeTime, as a Job's have: karmada-apiserver stores one in any case.
func (s *Status) ProbeTimes() { s.secondTime = lastProbeTime }

// OmitZero leaves counts out that are 0, where karmada-apiserver leaves them out of what it stores: written, each aggregation would
// find another status than the template's, and write it again. It comes last.
func (s *Status) OmitZero(counts ...string) {
	s.Add(func(_ []family.Member, into map[string]any) error {
		for _, name := range counts {
			if into[name] == int64(0) {
				delete(into, name)
			}
		}
		return nil
	})
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
	s.standard = true
	s.Add(func(members []family.Member, into map[string]any) error {
		merged, err := standardConditions(s.template, members, s.generation, good...)
		for kind, hidden := range s.hidden {
			noteHidden(merged, kind, hidden)
		}
		put(into, "conditions", merged)
		return err
	})
}

// Edits gives the template the status: one edit, none when it has it. A member whose status cannot be read counts as one that has not
// reported, and is said: it must not stop the status of all others.
func (s *Status) Edits() (edit.List, error) {
	var unread []string
	for i, m := range s.members {
		if m.Unreadable != "" {
			unread = append(unread, m.Unreadable)
			s.members[i].Status = nil
		}
	}
	for {
		out, err := s.run()
		var at *memberError
		if errors.As(err, &at) && s.forget(at.cluster) {
			unread = append(unread, at.Error())
			continue
		}
		if err != nil {
			return nil, err
		}
		s.reported(unread)
		s.say(out)
		return edit.List{edit.Set(out, "status")}, nil
	}
}

// run makes the status of the members as they are known now.
func (s *Status) run() (map[string]any, error) {
	out := map[string]any{}
	s.hidden, s.own = map[string]int{}, nil
	if s.made != nil {
		return s.made(withoutOwn(s.template), s.members)
	}
	if err := sum(s.members, out, s.counts...); err != nil {
		return nil, err
	}
	var err error
	if s.generation, err = observedGeneration(s.template, s.members); err != nil {
		return nil, err
	}
	out["observedGeneration"] = s.generation
	for _, step := range s.steps {
		if err := step(s.members, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// forget makes a member one that has not reported; false when it was that already.
func (s *Status) forget(cluster string) bool {
	for i := range s.members {
		if s.members[i].Cluster == cluster && s.members[i].Status != nil {
			s.members[i].Status = nil
			return true
		}
	}
	return false
}

// put leaves out an empty list, as the kinds' own controllers do.
func put(into map[string]any, name string, items []any) {
	if len(items) > 0 {
		into[name] = items
	}
}
