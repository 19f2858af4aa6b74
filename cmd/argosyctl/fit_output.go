package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/argosy-dev/argosy/estimator/account"
)

func (o *fitOptions) print(fits []account.Workload) error {
	if done, err := structured(o.Out, o.output, fits); done {
		return err
	}
	for _, fit := range fits {
		if len(fits) > 1 {
			fmt.Fprintf(o.Out, "%s %s/%s\n", fit.Kind, fit.Namespace, fit.Name)
		}
		for _, member := range fit.Members {
			o.printMember(member)
		}
	}
	return nil
}

// printMember writes one member's answer: the number, what limits it, and the nodes, those alike on one line.
func (o *fitOptions) printMember(fit account.Member) {
	if fit.Error != "" {
		fmt.Fprintf(o.Out, "%s: unknown: %s\n", fit.Cluster, strings.ReplaceAll(fit.Error, "\n", ": "))
		return
	}
	certainty := "exactly "
	switch {
	case fit.Doubt == account.ForeignScheduler:
		certainty = "at most, for no profile has the name of the pod's scheduler, "
	case fit.Doubt == account.OlderPods && !fit.TimedOut:
		certainty = "at least, for what the member adds to the pods is known from older ones only, "
	case fit.TimedOut:
		certainty = "at least, for time was up, "
	case !fit.Exact:
		certainty = "at least "
	}
	fmt.Fprintf(o.Out, "%s: %s%d fit", fit.Cluster, certainty, *fit.Fits)
	if limits := spellLimits(fit.LimitedBy); limits != "" {
		fmt.Fprintf(o.Out, "; the next is refused by %s", limits)
	}
	if fit.Reason != "" {
		fmt.Fprintf(o.Out, " (%s)", fit.Reason)
	}
	fmt.Fprintln(o.Out)
	if len(fit.Nodes) > 0 {
		o.printNodes(fit.Nodes)
	}
}

func (o *fitOptions) printNodes(nodes []account.Node) {
	table := newTable(o.Out, 2)
	fmt.Fprintln(table, "  NODE\tTAKES\tNEXT REFUSED BY")
	type alike struct {
		takes     int64
		limitedBy string
	}
	var order []alike
	groups := map[alike][]string{}
	for _, node := range nodes {
		kind := alike{node.Takes, node.LimitedBy}
		if groups[kind] == nil {
			order = append(order, kind)
		}
		groups[kind] = append(groups[kind], node.Node)
	}
	slices.SortStableFunc(order, func(a, b alike) int { return cmp.Compare(b.takes, a.takes) })
	for _, kind := range order {
		names := groups[kind]
		slices.Sort(names)
		switch {
		case o.allNodes:
			for _, name := range names {
				fmt.Fprintf(table, "  %s\t%d\t%s\n", name, kind.takes, kind.limitedBy)
			}
		case len(names) == 1:
			fmt.Fprintf(table, "  %s\t%d\t%s\n", names[0], kind.takes, kind.limitedBy)
		default:
			fmt.Fprintf(table, "  %s\t%d each\t%s\n", someOf(names), kind.takes, kind.limitedBy)
		}
	}
	// The table is in memory: what the writer below says is heard by the next Fprint.
	_ = table.Flush()
}

// someOf names, three at most and as many as leave room for what stands beside them; one always.
func someOf(names []string) string {
	const most, letters = 3, 60
	shown, length := 0, 0
	for _, name := range names[:min(most, len(names))] {
		if length += len(name) + len(", "); shown > 0 && length > letters {
			break
		}
		shown++
	}
	if len(names) == shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

func spellLimits(limits map[string]int) string {
	var parts []string
	for plugin, nodes := range limits {
		switch nodes {
		case 0:
			parts = append(parts, plugin)
		case 1:
			parts = append(parts, plugin+" on 1 node")
		default:
			parts = append(parts, fmt.Sprintf("%s on %d nodes", plugin, nodes))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
