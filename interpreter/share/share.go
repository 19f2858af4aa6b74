package share

import (
	"math"
	"slices"
	"strconv"
	"strings"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
	"github.com/argosy-dev/argosy/interpreter/retain"
)

const (
	prefix = "interpreter.argosy.dev/"
	suffix = "-by-cluster"
	// Divided is the annotation that holds what Revise wrote into the fields: "partition=4,max-unavailable=1".
	Divided = prefix + "divided"
	// Replicas is the annotation that holds what each cluster had of the binding when a number that is held back was divided. Karmada may
	// write a manifest by the binding of before, with other replicas.
	Replicas = prefix + "replicas" + suffix
)

// Meaning of a number.
type Meaning string

const (
	// Held is how many replicas are held back (a partition). The rest, total - held, is divided, so that the members
	// together change exactly as many as asked, and never more on the way.
	Held Meaning = "Held"
	// Allowance is how many may be away or extra at a time (maxUnavailable, maxSurge). A member gets at least one where
	// the user gave any: with none it would stand still.
	Allowance Meaning = "Allowance"
)

// Field is one number of a template that means the whole fleet.
type Field struct {
	// Name in annotations, such as "partition".
	Name string
	Path []string
	Meaning
}

// Annotation holds the field's division.
func (f Field) Annotation() string { return prefix + f.Name + suffix }

// Needed is true when a field must be divided and so the clusters must be known.
func Needed(object *unstructured.Unstructured, total int32, fields []Field) bool {
	for _, f := range fields {
		number, err := f.fleet(object, total)
		if err == nil && number != nil && f.divisible(*number, total) {
			return true
		}
	}
	return false
}

// Asked is what Revise is asked for.
type Asked struct {
	family.Target
	// Total of the fleet's replicas.
	Total int32
	// Template is the hash of what a new object would start its replicas from; empty: not known.
	Template string
}

// running is the total that members have: the template's, or the binding's while more are asked for than it has. What is held back is held
// of these, or one that was not yet placed would be updated in the place of one that is held, and stay so: no member takes an updated
// replica back (decision 0310).
func (a Asked) running() int32 {
	sum := int64(0)
	for _, c := range a.Clusters {
		sum += int64(c.Replicas)
	}
	if sum == 0 {
		return a.Total
	}
	return int32(min(int64(a.Total), sum))
}

// fresh is true for a cluster whose replicas are all of the present template, whatever is held back there: its object was created
// with it, or is yet to be created, or all were updated to it and new ones are made from it too. While nobody has reported, all are alike.
func (a Asked) fresh(cluster string) bool {
	if len(a.CreatedWith) == 0 || a.Template == "" {
		return false
	}
	with, reported := a.CreatedWith[cluster]
	return !reported || with == a.Template || a.allNew(cluster)
}

// allNew is true for a cluster that has said that it makes replicas from the present template alone.
func (a Asked) allNew(cluster string) bool {
	return a.Template != "" && a.Updated[cluster].All && a.Updated[cluster].Template == a.Template
}

// updated is how many of a cluster's replicas are of the present template, as far as it has said: no member takes one back. Where it is to
// have fewer than it has, updated ones can be those that go: behind a partition that holds the others every controller takes these.
func (a Asked) updated(c workv1alpha2.TargetCluster) int32 {
	u := a.Updated[c.Name]
	if a.Template == "" || u.Template != a.Template {
		return 0
	}
	going := max(0, u.Total-c.Replicas)
	return min(max(0, u.Replicas-going), c.Replicas)
}

// Revise makes the fields one member's, as far as can be known without its name.
func Revise(object *unstructured.Unstructured, asked Asked, fields []Field) (edit.List, error) {
	var edits edit.List
	var divided []string
	of := ""
	holds := false
	asked.Total = asked.running()
	for _, f := range fields {
		number, err := f.fleet(object, asked.Total)
		if err != nil {
			return nil, err
		}
		holds = holds || number != nil && *number > 0 && f.Meaning == Held
		if number == nil || !f.divisible(*number, asked.Total) {
			// A division nobody made, copied with a manifest, would be taken for ours.
			edits = append(edits, edit.Remove("metadata", "annotations", f.Annotation()))
			if number != nil && f.holdsAll(*number, asked) {
				edits = append(edits, edit.Set(int64(asked.Replicas), f.Path...))
			}
			continue
		}
		parts := f.divide(*number, asked)
		value := f.careful(*number, asked, parts)
		edits = append(edits, edit.Set(int64(value), f.Path...))
		if len(parts) == 0 {
			edits = append(edits, edit.Remove("metadata", "annotations", f.Annotation()))
			continue
		}
		edits = append(edits, edit.Annotate(f.Annotation(), text(asked.Clusters, parts)))
		divided = append(divided, f.Name+"="+strconv.Itoa(int(value)))
		if f.Meaning == Held {
			of = text(asked.Clusters, replicasOf(asked.Clusters))
		}
	}
	edits = append(edits, annotation(Divided, strings.Join(divided, ",")), annotation(Replicas, of))
	if !holds {
		asked.Template = ""
	}
	return append(edits, annotation(mark.CreatedWith, asked.Template), annotation(mark.TemplateHash, asked.Template)), nil
}

// annotation sets it, or takes it off when empty.
func annotation(key, value string) edit.Edit {
	if value == "" {
		return edit.Remove("metadata", "annotations", key)
	}
	return edit.Annotate(key, value)
}

// Dispatch gives the fields the value that is the destination's, where Revise could only write a careful one. What an OverridePolicy
// set stays: it has the last word in Karmada. So does what anybody else has changed since.
//
// replicas are the manifest's. Where they are more than were divided, as many are updated as were divided and the rest is held; where
// they are fewer, as many are held as were divided.
func Dispatch(manifest *unstructured.Unstructured, replicas int32, to family.Destination, fields []Field) (edit.List, error) {
	wrote := field.Annotation(manifest.Object, Divided)
	if wrote == "" || to.Cluster == "" {
		return nil, nil
	}
	var edits edit.List
	for _, f := range fields {
		before, ok, err := lookup(wrote, f.Name, Divided)
		if err != nil {
			return nil, err
		}
		number, numberErr := f.number(manifest)
		if numberErr != nil {
			return nil, numberErr
		}
		if !ok || number == nil || *number != before || to.Overridden(f.Path...) {
			continue
		}
		value, ok, err := lookup(field.Annotation(manifest.Object, f.Annotation()), to.Cluster, f.Annotation())
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, field.Errorf([]string{"metadata", "annotations[" + f.Annotation() + "]"},
				"it has no part for %s: the ResourceBinding had no such cluster when it was read", to.Cluster)
		}
		if value, err = f.of(manifest, replicas, to.Cluster, value); err != nil {
			return nil, err
		}
		if value != before {
			edits = append(edits, edit.Set(int64(value), f.Path...))
		}
	}
	return edits, nil
}

// of is what a manifest of so many replicas holds back, of which a division says what is held of the cluster's. What a manifest has beyond
// those that were divided is held back, too. One that has fewer holds back no less: the rest comes with the next, and what is updated until
// then nobody takes back.
func (f Field) of(manifest *unstructured.Unstructured, replicas int32, cluster string, value int32) (int32, error) {
	if f.Meaning != Held {
		return value, nil
	}
	divided, known, err := lookup(field.Annotation(manifest.Object, Replicas), cluster, Replicas)
	if err != nil || !known {
		return value, err
	}
	return value + max(0, replicas-divided), nil
}

// Retain takes the mark of its first template from an object that has had another: what was written for a new object is true of new
// objects alone.
func Retain(desired, observed *unstructured.Unstructured) edit.List {
	with := field.Annotation(desired.Object, mark.CreatedWith)
	if with == "" || field.Annotation(observed.Object, mark.CreatedWith) == with {
		return nil
	}
	return edit.List{edit.Remove("metadata", "annotations", mark.CreatedWith)}
}

// number is the field's whole number; nil when absent or a percentage.
func (f Field) number(object *unstructured.Unstructured) (*int32, error) {
	value, err := field.IntOrPercent(object.Object, f.Path...)
	if err != nil || value == nil || value.Type == intstr.String {
		return nil, err
	}
	return &value.IntVal, nil
}

// fleet is the number the field means for the whole fleet; nil when absent. A percentage that is held back is one of the fleet's replicas,
// once, by the rounding of the kind's own controller: rounded in each member, "90%" of 4+3+3 would update three of ten. A percentage of an
// allowance says nearly the same in every member, and stays (decision 0124). So does every percentage where members own their replicas,
// which are then not the template's.
func (f Field) fleet(object *unstructured.Unstructured, total int32) (*int32, error) {
	value, err := field.IntOrPercent(object.Object, f.Path...)
	if err != nil || value == nil {
		return nil, err
	}
	if value.Type == intstr.Int {
		return &value.IntVal, nil
	}
	if f.Meaning != Held || retain.OwnsReplicas(object) {
		return nil, nil
	}
	count, err := intstr.GetScaledValueFromIntOrPercent(value, int(total), true)
	if err != nil {
		return nil, field.Errorf(f.Path, "%v", err)
	}
	// Less than all held back means one updated, as in CalculatePartitionReplicas of OpenKruise's pkg/util.
	if total > 1 && count == int(total) && value.StrVal != "100%" {
		count--
	}
	held := int32(min(max(count, 0), math.MaxInt32))
	return &held, nil
}

// divisible is false where every member gets what the template says. A partition that holds everything back stays
// whole: a member whose replicas its own HPA raises is still held.
func (f Field) divisible(number, total int32) bool {
	if f.Meaning == Held {
		return number > 0 && number < total
	}
	return number > 1
}

// holdsAll is true where everything is held back, and a manifest by the binding of before has more than everything.
func (f Field) holdsAll(number int32, asked Asked) bool {
	return f.Meaning == Held && number > 0 && number >= asked.Total && number < asked.Replicas
}

// divide is every cluster's value; nil without clusters.
func (f Field) divide(number int32, asked Asked) []int32 {
	if len(asked.Clusters) == 0 {
		return nil
	}
	if f.Meaning == Allowance {
		parts := Webster(number, asked.Clusters, 1)
		for i := range parts {
			// OpenKruise refuses 0, also of a member that has no replicas yet.
			parts[i] = max(1, parts[i])
		}
		return parts
	}
	// Replicas that begin with the present template count as updated, for nothing can hold them back; the others share what is left, each
	// at least what it has updated. A fresh cluster holds all of its own, so that one that was wrongly taken for fresh updates nothing.
	old, least := slices.Clone(asked.Clusters), make([]int32, len(asked.Clusters))
	var spent, sum int64
	for i, c := range asked.Clusters {
		if asked.fresh(c.Name) {
			spent += int64(c.Replicas)
			old[i].Replicas = 0
		} else {
			least[i] = asked.updated(c)
		}
		sum += int64(old[i].Replicas)
	}
	left := min(max(0, int64(asked.Total-number)-spent), sum)
	parts := Atop(int32(left), old, least)
	for i, c := range asked.Clusters {
		if asked.allNew(c.Name) {
			parts[i] = asked.updated(c) // what is expected there is what is there
		}
		parts[i] = c.Replicas - parts[i]
	}
	return parts
}

// careful is the value for a member of which only the replicas are known.
func (f Field) careful(number int32, asked Asked, parts []int32) int32 {
	value, found := int32(0), false
	for i, c := range asked.Clusters {
		if c.Replicas != asked.Replicas {
			continue
		}
		switch {
		case !found:
			value, found = parts[i], true
		case f.Meaning == Held:
			value = max(value, parts[i])
		default:
			value = min(value, parts[i])
		}
	}
	if found {
		return value
	}
	proportion := func(n int32) int32 {
		return int32(int64(n) * int64(min(asked.Replicas, asked.Total)) / int64(max(asked.Total, 1)))
	}
	if f.Meaning == Held {
		return asked.Replicas - proportion(asked.Total-number)
	}
	return max(1, proportion(number))
}

func replicasOf(clusters []workv1alpha2.TargetCluster) []int32 {
	out := make([]int32, len(clusters))
	for i, c := range clusters {
		out[i] = c.Replicas
	}
	return out
}

// text is a division in the order of the clusters' names, so that it changes only when the division does.
func text(clusters []workv1alpha2.TargetCluster, parts []int32) string {
	entries := make([]string, len(clusters))
	for i, c := range clusters {
		entries[i] = c.Name + "=" + strconv.Itoa(int(parts[i]))
	}
	slices.Sort(entries)
	return strings.Join(entries, ",")
}

// lookup reads one entry of "a=1,b=2".
func lookup(entries, key, annotation string) (value int32, found bool, err error) {
	for entries != "" {
		var entry string
		entry, entries, _ = strings.Cut(entries, ",")
		name, number, ok := strings.Cut(entry, "=")
		if !ok {
			return 0, false, field.Errorf([]string{"metadata", "annotations[" + annotation + "]"},
				"want \"<name>=<number>,...\", have %q; the interpreter writes it: remove it from the template", entry)
		}
		if name != key {
			continue
		}
		parsed, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return 0, false, field.Errorf([]string{"metadata", "annotations[" + annotation + "]"},
				"want a whole number for %s, have %q; the interpreter writes it: remove it from the template", name, number)
		}
		return int32(parsed), true, nil
	}
	return 0, false, nil
}
