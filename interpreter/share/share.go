package share

import (
	"slices"
	"strconv"
	"strings"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/argosy-dev/argosy/interpreter/edit"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

const (
	prefix = "interpreter.argosy.dev/"
	suffix = "-by-cluster"
	// Divided is the annotation that holds what Revise wrote into the fields: "partition=4,max-unavailable=1".
	Divided = prefix + "divided"
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
		number, err := f.number(object)
		if err == nil && number != nil && f.divisible(*number, total) {
			return true
		}
	}
	return false
}

// Revise makes the fields one member's, as far as can be known without its name.
func Revise(object *unstructured.Unstructured, total int32, target family.Target, fields []Field) (edit.List, error) {
	var edits edit.List
	var divided []string
	for _, f := range fields {
		number, err := f.number(object)
		if err != nil {
			return nil, err
		}
		if number == nil || !f.divisible(*number, total) {
			// A division nobody made, copied with a manifest, would be taken for ours.
			edits = append(edits, edit.Remove("metadata", "annotations", f.Annotation()))
			continue
		}
		parts := f.divide(*number, total, target.Clusters)
		value := f.careful(*number, total, target, parts)
		edits = append(edits, edit.Set(int64(value), f.Path...))
		if len(parts) == 0 {
			edits = append(edits, edit.Remove("metadata", "annotations", f.Annotation()))
			continue
		}
		edits = append(edits, edit.Annotate(f.Annotation(), text(target.Clusters, parts)))
		divided = append(divided, f.Name+"="+strconv.Itoa(int(value)))
	}
	if len(divided) == 0 {
		return append(edits, edit.Remove("metadata", "annotations", Divided)), nil
	}
	return append(edits, edit.Annotate(Divided, strings.Join(divided, ","))), nil
}

// Retain gives the fields the value that is the named cluster's.
func Retain(desired *unstructured.Unstructured, cluster string, fields []Field) (edit.List, error) {
	wrote := field.Annotation(desired.Object, Divided)
	if wrote == "" || cluster == "" {
		return nil, nil
	}
	var edits edit.List
	for _, f := range fields {
		before, ok, err := lookup(wrote, f.Name, Divided)
		if err != nil {
			return nil, err
		}
		number, numberErr := f.number(desired)
		if numberErr != nil {
			return nil, numberErr
		}
		if !ok || number == nil || *number != before {
			continue
		}
		value, ok, err := lookup(field.Annotation(desired.Object, f.Annotation()), cluster, f.Annotation())
		if err != nil {
			return nil, err
		}
		if ok {
			edits = append(edits, edit.Set(int64(value), f.Path...))
		}
	}
	return edits, nil
}

// number is the field's whole number; nil when absent or a percentage.
func (f Field) number(object *unstructured.Unstructured) (*int32, error) {
	value, err := field.IntOrPercent(object.Object, f.Path...)
	if err != nil || value == nil || value.Type == intstr.String {
		return nil, err
	}
	return &value.IntVal, nil
}

// divisible is false where every member gets the template's own number. A partition that holds everything back stays
// whole: a member whose replicas its own HPA raises is still held.
func (f Field) divisible(number, total int32) bool {
	if f.Meaning == Held {
		return number > 0 && number < total
	}
	return number > 1
}

// divide is every cluster's value; nil without clusters.
func (f Field) divide(number, total int32, clusters []workv1alpha2.TargetCluster) []int32 {
	if len(clusters) == 0 {
		return nil
	}
	if f.Meaning == Allowance {
		parts := Webster(number, clusters, 1)
		for i := range parts {
			// OpenKruise refuses 0, also of a member that has no replicas yet.
			parts[i] = max(1, parts[i])
		}
		return parts
	}
	// While a change of replicas is on its way the binding's sum is not yet the template's total.
	var sum int64
	for _, c := range clusters {
		sum += int64(c.Replicas)
	}
	parts := Webster(int32(min(int64(total-number), sum)), clusters, 0)
	for i, c := range clusters {
		parts[i] = c.Replicas - parts[i]
	}
	return parts
}

// careful is the value for a member of which only the replicas are known.
func (f Field) careful(number, total int32, target family.Target, parts []int32) int32 {
	value, found := int32(0), false
	for i, c := range target.Clusters {
		if c.Replicas != target.Replicas {
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
		return int32(int64(n) * int64(min(target.Replicas, total)) / int64(max(total, 1)))
	}
	if f.Meaning == Held {
		return target.Replicas - proportion(total-number)
	}
	return max(1, proportion(number))
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
