package state

import (
	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Line is a row of the table, in words, for the docs.
type Line struct {
	Name, When, Phase, Gate string
	Tasks                   []string
	Until                   string
	// Waits: behind its shut gate the server stays as it is.
	Waits bool
}

// Table is the table in its order.
func Table() []Line {
	var out []Line
	for _, r := range rows {
		line := Line{Name: r.name, When: r.when, Phase: string(r.phase), Gate: string(r.stage), Until: r.until, Waits: r.waits}
		switch r.name {
		case v1alpha1.ReasonDeleting:
			line.Gate = gatev1alpha1.GateRemoval
		case v1alpha1.ReasonOverride:
			line.Phase = "override.state"
		}
		for _, t := range r.tasks {
			line.Tasks = append(line.Tasks, string(t))
		}
		out = append(out, line)
	}
	return out
}
