package policy

import (
	"bytes"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// PublishManager is the field manager under which releases are written, in members and in the control plane.
const PublishManager = "argosy-publish"

// KubectlApply is kubectl's field manager for apply without --server-side: what it wrote comes from the same folder.
const KubectlApply = "kubectl-client-side-apply"

// released says whether an entry of managed fields is of a tool that releases the folder.
func released(entry metav1.ManagedFieldsEntry) bool {
	return entry.Subresource == "" &&
		(entry.Manager == PublishManager || entry.Manager == KubectlApply && entry.Operation == metav1.ManagedFieldsOperationUpdate)
}

// Ownership says which fields of an object releases wrote, as one entry of its managed fields: those that a later release no longer
// names are removed by it. Replicas are left out, since who gives them up would set them to 1. Nil when no release wrote any.
func Ownership(object *unstructured.Unstructured) *metav1.ManagedFieldsEntry {
	owned := fieldpath.NewSet()
	var latest *metav1.Time
	for _, entry := range object.GetManagedFields() {
		// Fields of another version have other names; what nobody owns is kept.
		if !released(entry) || entry.APIVersion != object.GetAPIVersion() || entry.FieldsV1 == nil {
			continue
		}
		set := fieldpath.NewSet()
		if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.Raw)); err != nil {
			continue
		}
		owned, latest = owned.Union(set), entry.Time
	}
	if Divisible(object.GetKind()) {
		owned = owned.Difference(fieldpath.NewSet(fieldpath.MakePathOrDie("spec", "replicas")))
	}
	return entryOf(object.GetAPIVersion(), owned, latest)
}

func entryOf(apiVersion string, owned *fieldpath.Set, at *metav1.Time) *metav1.ManagedFieldsEntry {
	if owned.Empty() {
		return nil
	}
	raw, err := owned.ToJSON()
	if err != nil {
		return nil
	}
	return &metav1.ManagedFieldsEntry{
		Manager: PublishManager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: apiVersion, Time: at,
		FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{Raw: raw},
	}
}

// Own hands what releases wrote over to the next one: what the object bears itself, and what it is said to bear beside.
func Own(object *unstructured.Unstructured, beside *metav1.ManagedFieldsEntry) {
	fields := slices.DeleteFunc(object.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return released(entry) && entry.APIVersion == object.GetAPIVersion()
	})
	all := object.DeepCopy()
	if beside != nil {
		all.SetManagedFields(append(all.GetManagedFields(), *beside))
	}
	if entry := Ownership(all); entry != nil {
		fields = append(fields, *entry)
	}
	object.SetManagedFields(fields)
}

// Disown takes away what releases are on record to have written.
func Disown(object *unstructured.Unstructured) {
	object.SetManagedFields(slices.DeleteFunc(object.GetManagedFields(), released))
}
