package aggregate

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"

	releasev1alpha1 "github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// Two fields are added to what a member's status says, under the names Karmada's own interpreters use, so that a
// binding with statuses of both kinds aggregates well.
const (
	// generation is that of the member's object.
	generation = "generation"
	// templateGeneration is that of the template the member's object was made from.
	templateGeneration = "resourceTemplateGeneration"
)

// CreatedWith is a third, our own: the annotation mark.CreatedWith of the member's object.
const CreatedWith = "createdWithTemplate"

// UpdatedTemplate is a fourth, our own too: the annotation mark.TemplateHash of an object whose controller has seen it, so that what is
// updated is of that template.
const UpdatedTemplate = "updatedTemplate"

// A fifth is releasev1alpha1.StatusRevision, the revision of a release in stages: what changes while the template's generation stays, its
// overrides, is told apart by that alone.

// Reflect is what is carried from a member: its whole status, the two generations, the templates it was created with and has, and the
// revision of a release in stages.
func Reflect(observed *unstructured.Unstructured) (map[string]any, error) {
	status, err := field.Map(observed.Object, "status")
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(status)+5)
	maps.Copy(out, status)
	own, err := field.Int64(observed.Object, 0, "metadata", "generation")
	if err != nil {
		return nil, err
	}
	if own != 0 {
		out[generation] = own
	}
	if text := field.Annotation(observed.Object, mark.TemplateGeneration); text != "" {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, field.Errorf([]string{"metadata", "annotations[" + mark.TemplateGeneration + "]"}, "want a whole number, have %q", text)
		}
		out[templateGeneration] = number
	}
	if with := field.Annotation(observed.Object, mark.CreatedWith); with != "" {
		out[CreatedWith] = with
	}
	if revision := field.Annotation(observed.Object, releasev1alpha1.AnnotationRevision); revision != "" {
		out[releasev1alpha1.StatusRevision] = revision
	}
	seen, err := field.Int64(observed.Object, 0, "status", "observedGeneration")
	if err != nil {
		return nil, err
	}
	if hash := field.Annotation(observed.Object, mark.TemplateHash); hash != "" && own != 0 && seen == own {
		out[UpdatedTemplate] = hash
	}
	return out, nil
}

// ordered is the members in the order of their names, so that the same members make the same status.
func ordered(members []family.Member) []family.Member {
	byName := func(a, b family.Member) int { return strings.Compare(a.Cluster, b.Cluster) }
	if slices.IsSortedFunc(members, byName) {
		return members
	}
	return slices.SortedFunc(slices.Values(members), byName)
}

// served are the counts of replicas that serve. What a member said of them before it became unreachable may be untrue since: they run
// on, or they do not.
var served = sets.New("readyReplicas", "availableReplicas", "updatedReadyReplicas", "updatedAvailableReplicas", "numberReady",
	"numberAvailable", "readyServers")

// sum adds up counts of the members' statuses; of replicas that serve, those of the members that can be asked.
func sum(members []family.Member, into map[string]any, names ...string) error {
	for _, name := range names {
		var total int64
		for _, m := range members {
			count, err := field.Count(m.Status, 0, name)
			if err != nil {
				return At(m, err)
			}
			if m.Unreachable == "" || !served.Has(name) {
				total += int64(count)
			}
		}
		into[name] = total
	}
	return nil
}

// observedGeneration is the template's generation once every member has observed it; until then what it was.
func observedGeneration(object *unstructured.Unstructured, members []family.Member) (int64, error) {
	template, err := field.Int64(object.Object, 0, "metadata", "generation")
	if err != nil {
		return 0, err
	}
	before, err := field.Int64(object.Object, 0, "status", "observedGeneration")
	if err != nil {
		return 0, err
	}
	for _, m := range members {
		seen, err := current(m, template)
		if err != nil {
			return 0, err
		}
		if !seen {
			return before, nil
		}
	}
	return template, nil
}

// current is true when a member's status speaks of the template's present generation.
func current(m family.Member, template int64) (bool, error) {
	var values [3]int64
	for i, name := range []string{templateGeneration, generation, "observedGeneration"} {
		value, err := field.Int64(m.Status, 0, name)
		if err != nil {
			return false, At(m, err)
		}
		values[i] = value
	}
	return m.Status != nil && values[0] == template && values[1] == values[2], nil
}

// Text is a text of the members' statuses: the first that is not empty and not one of those to pass over.
func Text(members []family.Member, name string, passOver ...string) (string, error) {
	for _, m := range members {
		text, err := field.String(m.Status, name)
		if err != nil {
			return "", At(m, err)
		}
		if text != "" && !slices.Contains(passOver, text) {
			return text, nil
		}
	}
	return "", nil
}

// memberError is one in a member's status.
type memberError struct {
	cluster string
	error
}

func (e *memberError) Unwrap() error { return e.error }

// At says whose status an error is in.
func At(m family.Member, err error) error {
	return &memberError{cluster: m.Cluster, error: field.Under(err, "aggregatedStatus["+m.Cluster+"]", "status")}
}
