package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/cmd/argosyctl/removal"
)

// vmDeletions is the output for programs.
type vmDeletions struct {
	Items   []removal.Deletion `json:"items"`
	Unknown []silentMember     `json:"unknown,omitempty"`
}

func newVMDeletionsCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use: "deletions", Short: "Show what members still hold of what was deleted, and what it waits for",
		Long: "Shows the VMReplicaSets and Servers that were deleted and are not gone, in all namespaces of all members, and what each waits\n" +
			"for. In the control plane nothing is to be seen of them: Karmada deletes in members and does not wait. Nothing is written. A\n" +
			"member that cannot be asked is told, and the exit code is 1.",
		Example: "  argosyctl vm deletions",
	}
	return tellOfMembers(command, flags, streams, deletions)
}

func (d vmDeletions) silent() []silentMember { return d.Unknown }

func deletions(ctx context.Context, members fleetReader) (vmDeletions, error) {
	out := vmDeletions{Items: []removal.Deletion{}}
	templates := &v1alpha1.VMReplicaSetList{}
	if err := members.control.List(ctx, templates); err != nil && !meta.IsNoMatchError(err) {
		return out, fmt.Errorf("listing VMReplicaSets: %w", err)
	}
	known := map[types.NamespacedName]types.UID{}
	for i := range templates.Items {
		known[client.ObjectKeyFromObject(&templates.Items[i])] = templates.Items[i].UID
	}
	var err error
	out.Unknown, err = members.each(ctx, func(cluster string, member client.Reader) (func(), error) {
		sets, servers := &v1alpha1.VMReplicaSetList{}, &v1alpha1.ServerList{}
		if err := errors.Join(listOf(ctx, member, "VMReplicaSet", sets), listOf(ctx, member, "Server", servers)); err != nil {
			return nil, err
		}
		of := removal.Member{Cluster: cluster, Sets: sets.Items, Servers: servers.Items}
		if cluster != "" {
			of.Templates = known
		}
		return func() { out.Items = append(out.Items, of.Deletions()...) }, nil
	})
	return out, err
}

// print three lines for each: a table of them would be wider than a terminal.
func (d vmDeletions) print(out io.Writer, now time.Time) error {
	if len(d.Items) == 0 {
		fmt.Fprintln(out, "Nothing that was deleted waits.")
	}
	w := newTable(out, 2)
	for _, one := range d.Items {
		fmt.Fprintf(w, "%s %s/%s in %s, deleted %s ago\n", one.Kind, one.Namespace, one.Name, cmp.Or(one.Cluster, "this cluster"),
			duration.HumanDuration(now.Sub(one.Since.Time)))
		fmt.Fprintf(w, "  waits for %s\n", one.WaitsFor)
		if one.TemplateIsBack {
			fmt.Fprintln(w, "  its template was made again meanwhile: servers of the new one come only when this one is gone")
		}
		if one.Next != "" {
			fmt.Fprintf(w, "  -> %s\n", one.Next)
		}
	}
	for _, silent := range d.Unknown {
		fmt.Fprintf(w, "Unknown: %s cannot be asked: %s\n", silent.Cluster, silent.Message)
	}
	return w.Flush()
}
