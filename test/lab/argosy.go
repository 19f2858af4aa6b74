package lab

import "context"

// argosyUnits lists Argosy's own processes, which run against the control plane.
func (f *federation) argosyUnits(_ context.Context, _ *karmadaPlane) ([]unit, error) {
	return nil, nil
}
