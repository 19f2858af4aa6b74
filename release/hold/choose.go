package hold

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// Source of a manifest.
type Source string

const (
	// New is the manifest Karmada rendered from the template.
	New Source = "New"
	// Old is the manifest the Work has.
	Old Source = "Old"
	// Recorded is the history's, with the cluster's overrides of today.
	Recorded Source = "Recorded"
)

// Work is what is asked to be written, and what is there.
type Work struct {
	Cluster string
	// New is the manifest as Karmada rendered it.
	New *unstructured.Unstructured
	// Old is nil where the Work, or this manifest of it, is made anew.
	Old *unstructured.Unstructured
	// OverridesChanged is true when other overrides were applied to New than to Old.
	OverridesChanged bool
	// Suspended is true while Karmada dispatches nothing to the cluster.
	Suspended bool
	// Ran is true when the member reported that its controller has seen the object: it has a revision to keep beside a newer one.
	Ran bool
}

// Want is the revision a Work is to have.
type Want struct {
	Revision string
	From     Source
	// Share of the replicas that may have it; nil for all.
	Share *int64
}

// Staged says whether a manifest is held by a Release.
func Staged(manifest *unstructured.Unstructured) bool {
	return manifest != nil && manifest.GetAnnotations()[v1alpha1.AnnotationStable] != ""
}

// Bound says whether the marks of an object say that not everything is open, or of what is not stable yet: without them the policies in the
// API server refuse it (deploy/webhook/release-guards.yaml), since nobody could tell that nothing is held.
func Bound(object *unstructured.Unstructured) bool {
	if !Staged(object) {
		return false
	}
	marks := object.GetAnnotations()
	return marks[v1alpha1.AnnotationOpen] != v1alpha1.OpenAll || marks[v1alpha1.AnnotationRevision] != marks[v1alpha1.AnnotationStable]
}

// HoldsOverrides says whether a changed override of a manifest is held.
func HoldsOverrides(manifest *unstructured.Unstructured) bool {
	return manifest.GetAnnotations()[v1alpha1.AnnotationOverrides] != ""
}

// Choose the revision a Work is to have. A manifest that is not staged is left as it is.
func Choose(work Work) (Want, error) {
	marks := work.New.GetAnnotations()
	revision, stable := marks[v1alpha1.AnnotationRevision], marks[v1alpha1.AnnotationStable]
	if revision == "" {
		return Want{}, fmt.Errorf("metadata.annotations[%s]: a staged template has one; the admission of templates writes it",
			v1alpha1.AnnotationRevision)
	}
	all := Want{Revision: revision, From: New}
	open := marks[v1alpha1.AnnotationOpen]
	if open == v1alpha1.OpenAll {
		return all, nil
	}
	if lists(open, work.Cluster) && !work.Suspended {
		n, partly, err := share(marks[v1alpha1.AnnotationUpdated], work.Cluster)
		switch {
		case err != nil:
			return Want{}, err
		case !partly:
			return all, nil
		case n > 0 && work.Old != nil && work.Ran:
			return Want{Revision: revision, From: New, Share: &n}, nil
		}
		// A new object has no pods of an older revision: all would be of this one. It gets the stable one first, and until the member has
		// seen that.
	}
	if have, kept := keeps(work); kept {
		return have, nil
	}
	if stable == revision {
		return all, nil
	}
	return Want{Revision: stable, From: Recorded}, nil
}

// keeps is the revision a Work has, when it may keep it.
func keeps(work Work) (Want, bool) {
	if !Staged(work.Old) || work.Old.GroupVersionKind() != work.New.GroupVersionKind() {
		return Want{}, false
	}
	marks, now := work.Old.GetAnnotations(), work.New.GetAnnotations()
	have := Want{Revision: marks[v1alpha1.AnnotationRevision], From: Old}
	if have.Revision == "" || lists(now[v1alpha1.AnnotationRejected], have.Revision) {
		return Want{}, false
	}
	if lists(now[v1alpha1.AnnotationRejected], now[v1alpha1.AnnotationRevision]) && have.Revision != now[v1alpha1.AnnotationStable] {
		// Of a template that is rejected nobody opens, or looks at, what was pushed in between: every cluster goes back.
		return Want{}, false
	}
	if n, err := strconv.ParseInt(marks[v1alpha1.AnnotationShare], 10, 32); err == nil {
		have.Share = &n
	}
	if work.OverridesChanged && !work.Suspended && !HoldsOverrides(work.New) {
		have.From = Recorded
	}
	return have, true
}
