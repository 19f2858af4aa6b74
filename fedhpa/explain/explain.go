package explain

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

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

// Account is an explanation for programs.
type Account struct {
	Namespace string                                    `json:"namespace"`
	Name      string                                    `json:"name"`
	Target    autoscalingv2.CrossVersionObjectReference `json:"target"`
	Status    api.FedHPAStatus                          `json:"status"`
	// Books are absent when the target is not propagated.
	Books  *Books `json:"books,omitempty"`
	WhatIf *Paper `json:"whatIf,omitempty"`
}

// Books are what the control plane says beside what members' autoscalers ask for, by cluster.
type Books struct {
	SchedulingResult decide.Counts `json:"schedulingResult"`
	Replicas         int32         `json:"replicas"`
	MembersAsk       decide.Counts `json:"membersAsk"`
}

// Paper is a division that nobody carries out.
type Paper struct {
	MinReplicas     int32   `json:"minReplicas"`
	MaxReplicas     int32   `json:"maxReplicas"`
	Clusters        []Share `json:"clusters"`
	ReserveReplicas int32   `json:"reserveReplicas"`
	// MinUnplaced is the part of MinReplicas that fits nowhere.
	MinUnplaced int32 `json:"minUnplaced"`
}

// Share is one cluster's part of it. FreeReplicas is absent where nobody knows.
type Share struct {
	Name         string `json:"name"`
	MinReplicas  int32  `json:"minReplicas"`
	MaxReplicas  int32  `json:"maxReplicas"`
	FreeReplicas *int32 `json:"freeReplicas,omitempty"`
}

// Account gathers it.
func (e Explanation) Account() Account {
	out := Account{Namespace: e.FedHPA.Namespace, Name: e.FedHPA.Name, Target: e.FedHPA.Spec.ScaleTargetRef, Status: e.FedHPA.Status}
	if e.Binding != nil {
		out.Books = &Books{SchedulingResult: decide.Counts{}, Replicas: e.Binding.Spec.Replicas, MembersAsk: decide.Counts{}}
		for _, c := range e.Binding.Spec.Clusters {
			out.Books.SchedulingResult[c.Name] = c.Replicas
		}
		for _, c := range e.FedHPA.Status.Clusters {
			if decide.TakesPart(c.State) {
				out.Books.MembersAsk[c.Name] = c.DesiredReplicas
			}
		}
	}
	if e.WhatIf != nil {
		out.WhatIf = e.onPaper()
	}
	return out
}

// Write prints it for a person; lines stay short enough for a terminal of 80 columns where names allow it.
func (e Explanation) Write(out io.Writer) error {
	account, s := e.Account(), e.FedHPA.Status
	if s.MaxReplicas == 0 {
		_, err := fmt.Fprintf(out, "FedHPA %s/%s was made and not looked at yet: if this lasts, see whether argosy-controller-manager runs.\n",
			e.FedHPA.Namespace, e.FedHPA.Name)
		return err
	}
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
	e.books(out, account.Books)
	for _, c := range s.Conditions {
		if c.Status != "True" {
			fmt.Fprintf(out, "%s is %s since %s: %s (%s)\n", c.Type, c.Status, c.LastTransitionTime.UTC().Format("15:04:05 UTC"),
				e.unsaid(c.Message), c.Reason)
		}
	}
	if account.WhatIf != nil {
		return account.WhatIf.write(out)
	}
	return nil
}

// clusters prints the numbers as a table, and the reasons below it: side by side they are wider than a terminal.
func (e Explanation) clusters(out io.Writer) error {
	if len(e.FedHPA.Status.Clusters) == 0 {
		fmt.Fprintln(out, "No cluster has a part.")
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "\nCLUSTER\tSTATE\tMIN\tMAX\tRUNS\tASKS")
	for _, c := range e.FedHPA.Status.Clusters {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\n", c.Name, c.State, c.MinReplicas, c.MaxReplicas, c.CurrentReplicas, c.DesiredReplicas)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	// What is said of several clusters alike is said once.
	said := map[string][]string{}
	for _, c := range e.FedHPA.Status.Clusters {
		said[c.Message] = append(said[c.Message], c.Name)
	}
	for _, c := range e.FedHPA.Status.Clusters {
		switch names := said[c.Message]; {
		case strings.HasPrefix(c.Message, c.Name+" "):
			fmt.Fprintln(out, c.Message)
		case names[0] == c.Name:
			fmt.Fprintf(out, "%s: %s\n", strings.Join(names, ", "), orNone(c.Message))
		}
	}
	fmt.Fprintln(out)
	return nil
}

// unsaid points to what clusters has printed in full already.
func (e Explanation) unsaid(message string) string {
	for _, c := range e.FedHPA.Status.Clusters {
		if c.Message != "" {
			message = strings.ReplaceAll(message, ": "+c.Message, ": see above")
		}
	}
	return message
}

// books compares what the control plane says with what members' autoscalers ask for.
func (e Explanation) books(out io.Writer, b *Books) {
	if b == nil {
		fmt.Fprintln(out, "The target has no ResourceBinding: no policy propagates it.")
		return
	}
	fmt.Fprintf(out, "Scheduling result: %s (sum %d, replicas %d).\nMembers ask for: %s.\n",
		orNone(b.SchedulingResult.String()), b.SchedulingResult.Sum(), b.Replicas, orNone(b.MembersAsk.String()))
	if s := e.FedHPA.Status; s.Overwrites > 0 && s.LastOverwriteTime != nil {
		times := "once"
		if s.Overwrites > 1 {
			times = fmt.Sprintf("%d times", s.Overwrites)
		}
		fmt.Fprintf(out, "The scheduling result was overwritten by others and put right %s, last at %s.\n",
			times, s.LastOverwriteTime.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
}

// onPaper divides other limits with the room that was known at the last division.
func (e Explanation) onPaper() *Paper {
	in := decide.Asked(*e.WhatIf, string(e.FedHPA.UID), e.FedHPA.Spec)
	for _, c := range e.FedHPA.Status.Clusters {
		if !decide.TakesPart(c.State) {
			continue
		}
		part := decide.Wished(e.FedHPA.Spec, c.Name)
		part.Current, part.Free, part.Last = c.DesiredReplicas, c.FreeReplicas, &split.Range{Min: c.MinReplicas, Max: c.MaxReplicas}
		part.Frozen, part.Rigid = c.State == api.ClusterUnreachable, c.State == api.ClusterNotScaling
		in.Clusters = append(in.Clusters, part)
	}
	result := split.Divide(in)
	paper := &Paper{MinReplicas: in.Min, MaxReplicas: in.Max, ReserveReplicas: result.Reserve, MinUnplaced: result.MinUnplaced}
	for i, c := range in.Clusters {
		paper.Clusters = append(paper.Clusters, Share{
			Name: c.Name, MinReplicas: result.Ranges[i].Min, MaxReplicas: result.Ranges[i].Max, FreeReplicas: c.Free,
		})
	}
	return paper
}

func (p *Paper) write(out io.Writer) error {
	fmt.Fprintf(out, "\nWith %d..%d, and the room known at the last division:\n", p.MinReplicas, p.MaxReplicas)
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "CLUSTER\tMIN\tMAX\tROOM")
	for _, c := range p.Clusters {
		room := "unknown"
		if c.FreeReplicas != nil {
			room = strconv.Itoa(int(*c.FreeReplicas))
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", c.Name, c.MinReplicas, c.MaxReplicas, room)
	}
	if p.ReserveReplicas > 0 {
		fmt.Fprintf(table, "(reserve)\t\t%d\t\n", p.ReserveReplicas)
	}
	if p.MinUnplaced > 0 {
		fmt.Fprintf(table, "(min that fits nowhere)\t%d\t\t\n", p.MinUnplaced)
	}
	return table.Flush()
}

func orNone(s string) string {
	if strings.TrimSpace(s) == "" {
		return "none"
	}
	return s
}
