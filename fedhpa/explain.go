package fedhpa

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/utils/ptr"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// Explanation is what a person asks of a FedHPA: who got how much, why, and whether the control plane is true.
type Explanation struct {
	FedHPA *api.FedHPA
	// Binding is nil when the target is not propagated.
	Binding *workv1alpha2.ResourceBinding
	// WhatIf divides other limits over the clusters as they are now; nil asks nothing.
	WhatIf *split.Range
}

// Write prints it.
func (e Explanation) Write(out io.Writer) error {
	s := e.FedHPA.Status
	from := "its spec"
	if s.BoundsFrom != "" {
		from = s.BoundsFrom
	}
	fmt.Fprintf(out, "FedHPA %s/%s scales %s %s between %d and %d (from %s). Phase %s.\n", e.FedHPA.Namespace, e.FedHPA.Name,
		e.FedHPA.Spec.ScaleTargetRef.Kind, e.FedHPA.Spec.ScaleTargetRef.Name, s.MinReplicas, s.MaxReplicas, from, orNone(string(s.Phase)))
	if d := s.LastDivision; d != nil {
		fmt.Fprintf(out, "Divided at %s because %s (%s).\n", d.Time.UTC().Format("2006-01-02 15:04:05 UTC"), d.Message, d.Reason)
	}
	if s.ReserveReplicas > 0 {
		fmt.Fprintf(out, "%d of maxReplicas fit in no cluster and stay in reserve.\n", s.ReserveReplicas)
	}
	if err := e.clusters(out); err != nil {
		return err
	}
	e.books(out)
	for _, c := range s.Conditions {
		if c.Status != "True" {
			fmt.Fprintf(out, "%s is %s since %s: %s (%s)\n", c.Type, c.Status, c.LastTransitionTime.UTC().Format("15:04:05 UTC"), c.Message, c.Reason)
		}
	}
	if e.WhatIf != nil {
		return e.whatIf(out)
	}
	return nil
}

func (e Explanation) clusters(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "\nCLUSTER\tSTATE\tMIN\tMAX\tRUNS\tASKS\tWHY")
	for _, c := range e.FedHPA.Status.Clusters {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", c.Name, c.State, c.MinReplicas, c.MaxReplicas, c.CurrentReplicas, c.DesiredReplicas, c.Message)
	}
	fmt.Fprintln(table)
	return table.Flush()
}

// books compares what the control plane says with what members' autoscalers ask for.
func (e Explanation) books(out io.Writer) {
	if e.Binding == nil {
		fmt.Fprintln(out, "The target has no ResourceBinding: no policy propagates it.")
		return
	}
	b := bindingOf(e.Binding)
	members := decide.Counts{}
	for _, c := range e.FedHPA.Status.Clusters {
		if c.State != api.ClusterStandby && c.State != api.ClusterLeaving {
			members[c.Name] = c.DesiredReplicas
		}
	}
	fmt.Fprintf(out, "Scheduling result: %s (sum %d, replicas %d). Members ask for: %s.\n", orNone(b.Clusters.String()), b.Clusters.Sum(), b.Replicas, orNone(members.String()))
	if e.FedHPA.Status.Overwrites > 0 {
		fmt.Fprintf(out, "The scheduling result was overwritten by others and put right %d times, last at %s.\n",
			e.FedHPA.Status.Overwrites, e.FedHPA.Status.LastOverwriteTime.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
}

// whatIf divides other limits with the room that was known at the last division.
func (e Explanation) whatIf(out io.Writer) error {
	in := split.Input{Min: e.WhatIf.Min, Max: e.WhatIf.Max, Seed: string(e.FedHPA.UID)}
	wishes := map[string]api.ClusterDistribution{}
	if d := e.FedHPA.Spec.Distribution; d != nil {
		for _, c := range d.Clusters {
			wishes[c.Name] = c
			in.WeightedMin = in.WeightedMin || c.Weight != nil
		}
	}
	for _, c := range e.FedHPA.Status.Clusters {
		if c.State == api.ClusterStandby || c.State == api.ClusterLeaving {
			continue
		}
		wish := wishes[c.Name]
		in.Clusters = append(in.Clusters, split.Cluster{
			Name: c.Name, Current: c.DesiredReplicas, Free: c.FreeReplicas, Frozen: c.State == api.ClusterUnreachable,
			Weight: int64(ptr.Deref(wish.Weight, 1)), Least: ptr.Deref(wish.MinReplicas, 0), Most: ptr.Deref(wish.MaxReplicas, 0),
			Last: &split.Range{Min: c.MinReplicas, Max: c.MaxReplicas},
		})
	}
	result := split.Divide(in)
	fmt.Fprintf(out, "\nWith %d..%d, and the room known at the last division:\n", in.Min, in.Max)
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "CLUSTER\tMIN\tMAX\tROOM")
	for i, c := range in.Clusters {
		room := "unknown"
		if c.Free != nil {
			room = strconv.Itoa(int(*c.Free))
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", c.Name, result.Ranges[i].Min, result.Ranges[i].Max, room)
	}
	if result.Reserve > 0 {
		fmt.Fprintf(table, "(reserve)\t\t%d\t\n", result.Reserve)
	}
	if result.MinUnplaced > 0 {
		fmt.Fprintf(table, "(min that fits nowhere)\t%d\t\t\n", result.MinUnplaced)
	}
	return table.Flush()
}

func orNone(s string) string {
	if strings.TrimSpace(s) == "" {
		return "none"
	}
	return s
}
