package decide

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// askedFor finds out whether the workload that is there is the version that is asked for, of which no copy is updated otherwise; before is
// how many were when the status was written last.
func (s *settling) askedFor(live *unstructured.Unstructured, before int32) {
	in := s.in
	switch {
	case in.Unmanaged(), in.Canary != nil && in.Canary.Active:
		return
	case in.Held:
		// The manager that made it knew which object was not in place.
		if s.instead = meta.IsStatusConditionFalse(s.status.Conditions, v1alpha1.ConditionRendered); s.instead {
			s.status.UpdatedReplicas = min(s.status.UpdatedReplicas, before)
		}
		return
	case in.RenderErr != nil:
		s.instead = true
	default:
		at := slices.IndexFunc(in.Objects, func(o render.Object) bool { return KeyOf(&o) == in.Workload() })
		s.instead = at >= 0 && live.GetAnnotations()[v1alpha1.AnnotationRenderedHash] != in.Objects[at].Hash
	}
	if s.instead {
		s.status.UpdatedReplicas = 0
	}
}

// progress of a change.
func (s *settling) progress(have counts) {
	if s.instead {
		s.set(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonNotApplied,
			"%s, of the version before. What is asked for is not in place: see the condition Rendered.",
			copies(have.available, have.desired, "serve"))
		return
	}
	_, more, known := s.inTheWay(have)
	if known {
		more = " " + more
	}
	if c := s.in.Canary; c != nil && c.Active && have.stuck == "" {
		reason := v1alpha1.ReasonRollingOut
		if c.Status.State == v1alpha1.CanaryPaused {
			reason, more = v1alpha1.ReasonCanaryPaused, ""
		}
		if meta.IsStatusConditionFalse(s.status.Conditions, v1alpha1.ConditionRendered) {
			more += " Not all that it needs is in place: see the condition Rendered."
		}
		s.set(v1alpha1.ConditionProgressing, metav1.ConditionTrue, reason, "%s%s", c.Message, more)
		return
	}
	updated := copies(have.updated, have.desired, "are of the current version")
	switch {
	case have.complete():
		s.set(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonRolloutComplete, "All copies are of the current version.")
	case have.stuck != "":
		if !known {
			more = " The cluster says why" + because(have.stuck) + "."
		}
		s.set(v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonRolloutStuck,
			"%s, and it does not go on.%s%s", updated, more, undo(have))
	default:
		s.set(v1alpha1.ConditionProgressing, metav1.ConditionTrue, v1alpha1.ReasonRollingOut, "%s; %d of an earlier version are left.%s",
			updated, have.unwanted, more)
	}
}

// undo is how a change that does not come up is.
func undo(have counts) string {
	if have.available > 0 {
		return " The version before goes on serving. Write back what spec said before, such as the image, or mend it."
	}
	return " Set spec.image back, or mend it."
}

// degraded: fewer serve than are asked for, or those of a change do not come up. While the copies of before serve, Ready is True, and
// nobody else says so.
func (s *settling) degraded(have counts) {
	why, message, known := s.inTheWay(have)
	enough := have.desired > 0 && have.available >= have.desired
	switch {
	case have.available > 0 && have.available < have.desired:
		s.set(v1alpha1.ConditionDegraded, metav1.ConditionTrue, v1alpha1.ReasonFewerReplicas,
			"%s.", copies(have.available, have.desired, "serve"))
	case enough && !have.complete() && known && !s.pausedCanary():
		s.set(v1alpha1.ConditionDegraded, metav1.ConditionTrue, why, "The copies of a change do not come up. %s%s", message, undo(have))
	case enough && !have.complete() && have.stuck != "":
		s.set(v1alpha1.ConditionDegraded, metav1.ConditionTrue, v1alpha1.ReasonRolloutStuck,
			"The copies of a change do not come up%s.%s", because(have.stuck), undo(have))
	case have.available == 0 && have.desired > 0:
		s.set(v1alpha1.ConditionDegraded, metav1.ConditionFalse, v1alpha1.ReasonAsAsked, "No copy serves at all: see the condition Ready.")
	default:
		s.set(v1alpha1.ConditionDegraded, metav1.ConditionFalse, v1alpha1.ReasonAsAsked, "As many copies serve as are asked for.")
	}
}

func (s *settling) pausedCanary() bool {
	c := s.in.Canary
	return c != nil && c.Active && c.Status.State == v1alpha1.CanaryPaused
}

// Waits says since when something is on its way that no event of a watched object may tell of: pods are not watched.
func Waits(status *v1alpha1.ComponentStatus) (since metav1.Time, waits bool) {
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return since, true
	}
	if ready.Status != metav1.ConditionTrue {
		return ready.LastTransitionTime, true
	}
	progressing := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgressing)
	if progressing == nil {
		return since, false
	}
	quiet := []string{v1alpha1.ReasonCanaryPaused, v1alpha1.ReasonNotObserved, v1alpha1.ReasonRolloutComplete, v1alpha1.ReasonNotApplied}
	return progressing.LastTransitionTime, !slices.Contains(quiet, progressing.Reason)
}

// Missing is true where a workload of ours has copies that do not serve, or a change that is not through: whoever can should look at its
// pods.
func Missing(in *Input, live *unstructured.Unstructured) (selector *metav1.LabelSelector, missing bool) {
	if live == nil || OwnerOf(live, in.Component) != Ours {
		return nil, false
	}
	have, err := countsOf(live)
	if err != nil || !have.observed || have.selector == nil {
		return nil, false
	}
	if c := in.Canary; c != nil && c.Active {
		return have.selector, have.available < have.desired || c.Status.State == v1alpha1.CanaryProgressing
	}
	return have.selector, !have.complete()
}
