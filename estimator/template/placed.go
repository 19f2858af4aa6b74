package template

import (
	"slices"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// placedFor is how long a read serves that is what bindings place. It bounds what a watch of bindings that stands still may cost.
const placedFor = time.Minute

// serves says whether a read answers who asks now. karmada-scheduler asks about what a binding says, and a binding names the version of its
// workload: until the binding says a newer one, what was read is what the replicas are to be, and reading it again would tell nothing new.
func (r *Resolver) serves(object Object, before *lookup, now time.Time) bool {
	age := now.Sub(before.begun)
	if age <= keepFor {
		return true
	}
	select {
	case <-before.done:
		return before.err == nil && age <= placedFor && r.standIn(object, before.objects) != nil
	default:
		return false
	}
}

// found is what is known from a read: what it found, or what one before it did.
func (l *lookup) found() []*unstructured.Unstructured {
	select {
	case <-l.done:
		if l.err == nil {
			return l.objects
		}
	default:
	}
	return l.last
}

// standIn is what was read once, if each binding of that kind and name places one of these objects, in no newer version; else nil.
func (r *Resolver) standIn(object Object, read []*unstructured.Unstructured) []*unstructured.Unstructured {
	if r.Placed == nil || len(read) == 0 {
		return nil
	}
	placed := r.Placed(object)
	if len(placed) != len(read) {
		return nil
	}
	for _, reference := range placed {
		if !slices.ContainsFunc(read, func(one *unstructured.Unstructured) bool { return asNew(one, reference) }) {
			return nil
		}
	}
	return read
}

// asNew: the versions of one resource can be compared; what cannot be is not as new.
func asNew(read *unstructured.Unstructured, placed workv1alpha2.ObjectReference) bool {
	order, err := resourceversion.CompareResourceVersion(read.GetResourceVersion(), placed.ResourceVersion)
	return err == nil && order >= 0 && read.GetUID() == placed.UID
}
