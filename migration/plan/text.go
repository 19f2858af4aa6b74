package plan

import (
	"fmt"
	"io"
	"strings"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Write a plan the way a person approves it: per cluster, per object, per field, like a diff. Fields that
// would change are marked with - and +, those an override keeps with =. Bookkeeping is summed up unless all
// is asked for.
func Write(out io.Writer, status v1alpha1.MigrationStatus, all bool) error {
	plan := status.Plan
	if plan == nil {
		_, err := fmt.Fprintln(out, "There is no plan now.")
		return err
	}
	var text strings.Builder
	what := "Take over"
	if plan.Purpose == v1alpha1.PlanLeave {
		what = "Leave the federation"
	}
	fmt.Fprintf(&text, "%s: plan %s, drawn up %s\n", what, plan.Hash, plan.Time.UTC().Format("2006-01-02 15:04:05 MST"))
	for _, cluster := range status.Clusters {
		fmt.Fprintf(&text, "\ncluster %s", cluster.Name)
		if cluster.Replicas > 0 {
			fmt.Fprintf(&text, " (%d replicas)", cluster.Replicas)
		}
		text.WriteString("\n")
		for i := range plan.Resources {
			if plan.Resources[i].Cluster == cluster.Name {
				writeResource(&text, &plan.Resources[i], all)
			}
		}
	}
	if plan.OmittedResources > 0 {
		fmt.Fprintf(&text, "\n... and %d more objects: the plan is too large to be recorded whole. What differs between clusters is in the "+
			"OverridePolicies of the namespace\n", plan.OmittedResources)
	}
	writeMarks(&text, status)
	writeLocal(&text, status)
	text.WriteString("\n")
	if !all {
		text.WriteString("Bookkeeping: labels and annotations of Karmada's, which reach no pod (see --all).\n")
	}
	if plan.Harmful > 0 {
		fmt.Fprintf(&text, "Changes that would reach the members: %d. This plan cannot be approved.\n", plan.Harmful)
	} else {
		text.WriteString("Only bookkeeping changes: no pod restarts, and nothing is deleted.\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func writeResource(text *strings.Builder, resource *v1alpha1.ResourcePlan, all bool) {
	counted := map[v1alpha1.ChangeKind]int{}
	for _, change := range resource.Changes {
		counted[change.Kind]++
	}
	fmt.Fprintf(text, "  %s: ", policy.User(resource.ResourceReference))
	switch {
	case resource.Error != "":
		fmt.Fprintf(text, "REFUSED by the member\n    ! %s\n", resource.Error)
		return
	case counted[v1alpha1.ChangeHarmful] > 0:
		fmt.Fprintf(text, "%d CHANGED", counted[v1alpha1.ChangeHarmful])
	default:
		text.WriteString("unchanged")
	}
	if n := counted[v1alpha1.ChangeOverride]; n > 0 {
		fmt.Fprintf(text, ", %d kept by override", n)
	}
	if n := counted[v1alpha1.ChangeBookkeeping]; n > 0 {
		fmt.Fprintf(text, ", %d bookkeeping", n)
	}
	text.WriteString("\n")
	for _, change := range resource.Changes {
		switch {
		case change.Kind == v1alpha1.ChangeOverride:
			fmt.Fprintf(text, "    = %s: %s\n", change.Path, orNothing(change.Live))
		case change.Kind == v1alpha1.ChangeHarmful || all:
			if change.Live != "" {
				fmt.Fprintf(text, "    - %s: %s\n", change.Path, change.Live)
			}
			if change.Planned != "" {
				fmt.Fprintf(text, "    + %s: %s\n", change.Path, change.Planned)
			}
		}
	}
	if resource.Omitted > 0 {
		fmt.Fprintf(text, "    ... and %d more fields\n", resource.Omitted)
	}
}

// writeMarks tells of other tools that write what is taken over.
func writeMarks(text *strings.Builder, status v1alpha1.MigrationStatus) {
	first := true
	for _, resource := range status.Resources {
		if resource.Policy == "" || resource.Note == "" {
			continue
		}
		if first {
			text.WriteString("\nto know of what is taken over\n")
			first = false
		}
		fmt.Fprintf(text, "  %s %s\n", policy.User(resource.ResourceReference), resource.Note)
	}
}

func writeLocal(text *strings.Builder, status v1alpha1.MigrationStatus) {
	first := true
	for _, resource := range status.Resources {
		if resource.Policy != "" {
			continue
		}
		if first {
			text.WriteString("\nleft under static management\n")
			first = false
		}
		fmt.Fprintf(text, "  %s: %s\n", policy.User(resource.ResourceReference), resource.Note)
	}
}
