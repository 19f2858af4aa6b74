package plan

import "github.com/argosy-dev/argosy/api/migration/v1alpha1"

// step of a way. A way is a list of them, in their order; each is in a file of its own, named after way and step.
type step struct {
	name string
	run  func(*journey) outcome
	// prepares marks steps that are over once a cluster was opened, or removal has begun.
	prepares bool
}

// way chooses where the application goes. A rollback that has begun is finished before anything else.
func (w *World) way() []step {
	if failed(w.Spec, w.Status) {
		if w.Status.Failure.Action == v1alpha1.OnFailurePause && w.Entry != nil {
			return []step{{name: "held", run: (*journey).held}}
		}
		if w.Entry != nil || !w.departed() && w.Status.Phase != v1alpha1.PhaseLeft {
			return depart
		}
	}
	switch {
	case w.Status.Phase == v1alpha1.PhaseCuttingOff:
		return depart
	case w.purging():
		return leave
	case w.Entry != nil && w.Status.Phase == v1alpha1.PhaseFederated:
		return stay
	case w.Entry != nil:
		return arrive
	case w.Status.Phase == v1alpha1.PhaseLeft, w.unknown():
		return []step{{name: "left", run: (*journey).left}}
	case w.departed() && w.Spec.AfterCutOff == v1alpha1.AfterCutOffLeave:
		return leave
	}
	return depart
}

// unknown applications were never prepared: there is nothing in the control plane to cut off.
func (w *World) unknown() bool {
	return len(w.Status.Resources) == 0 && len(w.Status.Clusters) == 0 && len(Published(*w)) == 0
}

// departed applications are cut off, or on their way out from there.
func (w *World) departed() bool {
	return w.Status.Phase == v1alpha1.PhaseCutOff || w.Status.Phase == v1alpha1.PhaseLeaving
}

// purging applications have begun to leave for good; that is finished, whitelist or not.
func (w *World) purging() bool {
	return w.Status.Phase == v1alpha1.PhaseLeaving && w.Status.RemovalStartTime != nil
}
