package plan

import "github.com/argosy-dev/argosy/api/migration/v1alpha1"

// State of an application, as far as the order of batches cares.
type State int

// The states.
const (
	Waiting State = iota // not yet opened anywhere
	Moving               // opening or soaking
	Done                 // federated
	Failed               // rolled back or stopped by a failure, waiting for a person
	Off                  // rolled back by a person: the others go on as if it were not listed
)

// StateOf an application by its record.
func StateOf(spec v1alpha1.MigrationSpec, status v1alpha1.MigrationStatus) State {
	switch {
	case spec.Rollback != nil:
		return Off
	case failed(spec, status):
		return Failed
	case status.Phase == v1alpha1.PhaseFederated:
		return Done
	case status.Phase == v1alpha1.PhaseOpening, status.Phase == v1alpha1.PhaseSoaking:
		return Moving
	}
	return Waiting
}

// failed says whether the last attempt failed and nobody asked for another.
func failed(spec v1alpha1.MigrationSpec, status v1alpha1.MigrationStatus) bool {
	return status.Failure != nil && max(spec.Attempt, 1) <= status.Failure.Attempt
}

// InControlPlane says whether an application has, or may have, templates and Works in the control plane.
func InControlPlane(status v1alpha1.MigrationStatus) bool {
	switch status.Phase {
	case "", v1alpha1.PhasePending, v1alpha1.PhaseLeft:
		return false
	}
	return true
}

// Returning says whether an application is on its way back under static management, or has to be, and is not there yet. Listed says whether
// any whitelist lists it.
func Returning(spec v1alpha1.MigrationSpec, status v1alpha1.MigrationStatus, listed bool) bool {
	switch status.Phase {
	case v1alpha1.PhaseCuttingOff:
		return true
	case v1alpha1.PhaseCutOff, v1alpha1.PhaseLeaving:
		return false
	}
	return InControlPlane(status) && (!listed || spec.Rollback != nil)
}
