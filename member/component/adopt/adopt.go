package adopt

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// Verdict is what taking an object over would mean.
type Verdict struct {
	// Restart is true where something of what it is would change: pods, selectors, ports, hosts, the number of copies.
	Restart bool
	// Differences says what, at most a few of them.
	Differences string
	// Foreign tells of fields that others go on owning, because the Component does not speak of them, and of who goes on
	// applying the object: "helm: spec.minReadySeconds".
	Foreign string
	// ManagedFields are those of the live object without what former owners share with us: what the Component gives up
	// later really goes. Nil where nothing is shared.
	ManagedFields []metav1.ManagedFieldsEntry
}

// Trial is an adoption that was tried out, and a second question to the API server.
type Trial struct {
	Verdict
	// Without is the live object without the fields that former owners keep. What a dry run of an update with it fills in
	// again are defaults, of which nobody needs to hear. Nil where there is nothing to ask.
	Without *unstructured.Unstructured

	kept map[string]*fieldpath.Set
}

// Check compares the live object with the answer to a dry run of what was rendered.
func Check(live, dryRun *unstructured.Unstructured) (Trial, error) {
	var differences []string
	for _, field := range contents {
		differences = differ(live.Object[field], dryRun.Object[field], field, differences)
	}
	trial := Trial{Verdict: Verdict{Restart: len(differences) > 0, Differences: tell(differences)}, kept: map[string]*fieldpath.Set{}}
	ours, err := ourFields(dryRun)
	if err != nil {
		return Trial{}, err
	}
	var foreign []string
	shared, entries, without := false, []metav1.ManagedFieldsEntry{}, live.DeepCopy()
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == v1alpha1.FieldManager || entry.Subresource != "" || entry.FieldsV1 == nil {
			entries = append(entries, entry)
			continue
		}
		theirs, err := read(entry)
		if err != nil {
			return Trial{}, err
		}
		if entry.Operation == metav1.ManagedFieldsOperationApply {
			// It will come back and apply all of it again, whatever we write here.
			foreign = append(foreign, entry.Manager+" goes on applying it")
			entries = append(entries, entry)
			continue
		}
		kept := theirs.Leaves().Difference(ours)
		shared = shared || !theirs.Leaves().Intersection(ours).Empty()
		if entries, err = keep(entries, entry, theirs.Difference(ours)); err != nil {
			return Trial{}, err
		}
		kept.Iterate(func(path fieldpath.Path) { remove(without.Object, path) })
		trial.kept[entry.Manager] = kept
		trial.Without = without
	}
	trial.Foreign = strings.Join(slices.Compact(slices.Sorted(slices.Values(foreign))), "; ")
	if shared {
		trial.ManagedFields = entries
	}
	return trial, nil
}

// Settle is the verdict once the API server has said which of the fields that others keep are more than defaults.
func (t Trial) Settle(live, dryRun *unstructured.Unstructured) Verdict {
	var more []string
	for _, field := range contents {
		more = vanished(live.Object[field], dryRun.Object[field], field, more)
	}
	told := map[string]bool{}
	if t.Foreign != "" {
		told[t.Foreign] = true
	}
	for _, field := range more {
		for manager, kept := range t.kept {
			if owns(kept, field) {
				told[manager+": "+field] = true
			}
		}
	}
	t.Foreign = tell(slices.Sorted(maps.Keys(told)))
	return t.Verdict
}

// contents are the fields that make an object what it is. Labels, annotations and status are marks.
var contents = []string{"spec", "data", "binaryData", "immutable", "automountServiceAccountToken", "imagePullSecrets"}

// keep appends the entry with what is left of its fields, if anything is.
func keep(entries []metav1.ManagedFieldsEntry, entry metav1.ManagedFieldsEntry, left *fieldpath.Set) ([]metav1.ManagedFieldsEntry, error) {
	if left.Empty() {
		return entries, nil
	}
	raw, err := left.ToJSON()
	if err != nil {
		return nil, fmt.Errorf("writing the fields of %s: %w", entry.Manager, err)
	}
	entry.FieldsV1 = &metav1.FieldsV1{Raw: raw}
	return append(entries, entry), nil
}

func ourFields(object *unstructured.Unstructured) (*fieldpath.Set, error) {
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == v1alpha1.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply {
			return read(entry)
		}
	}
	return fieldpath.NewSet(), nil
}

func read(entry metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := fieldpath.NewSet()
	if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.Raw)); err != nil {
		return nil, fmt.Errorf("reading the fields of %s: %w", entry.Manager, err)
	}
	return set, nil
}
