package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/member/vm/orphans"
)

// orphan is one machine of a member that no Server knows.
type orphan struct {
	Cluster string `json:"cluster,omitempty"`
	orphans.Orphan
}

// vmOrphans is the output for programs.
type vmOrphans struct {
	Items   []orphan       `json:"items"`
	Looked  []looked       `json:"looked"`
	Unknown []silentMember `json:"unknown,omitempty"`
}

// looked is when a member was last looked through.
type looked struct {
	Cluster    string      `json:"cluster,omitempty"`
	ObservedAt metav1.Time `json:"observedAt"`
	// More orphans than are told.
	More int `json:"more,omitempty"`
}

func newVMOrphansCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use: "orphans", Short: "List machines that no Server knows; never deletes one",
		Long: "Lists the machines of the members that no Server knows, as each member's argosy-member-manager found them every two minutes: a\n" +
			"set let them go (removalPolicy Keep, or DeleteMachine skipped), or somebody made them by hand. Nothing ever deletes one: look at it\n" +
			"in the system that made it. A member or a system that could not be asked is told, and the exit code is 1.",
		Example: "  argosyctl vm orphans",
	}
	return tellOfMembers(command, flags, streams, orphansOf)
}

func (o vmOrphans) silent() []silentMember { return o.Unknown }

func orphansOf(ctx context.Context, members fleetReader) (vmOrphans, error) {
	out := vmOrphans{Items: []orphan{}, Looked: []looked{}}
	var unlisted []silentMember
	silent, err := members.each(ctx, func(cluster string, member client.Reader) (func(), error) {
		stored := &corev1.ConfigMap{}
		err := member.Get(ctx, client.ObjectKey{Namespace: install.Namespace, Name: orphans.Name}, stored)
		if apierrors.IsNotFound(err) {
			return func() {}, nil // it has made no machine
		}
		if err != nil {
			return nil, fmt.Errorf("reading ConfigMap %s/%s: %w", install.Namespace, orphans.Name, err)
		}
		report, err := orphans.Parse(stored.Data)
		if err != nil {
			return nil, err
		}
		return func() { unlisted = append(unlisted, out.take(cluster, report)...) }, nil
	})
	out.Unknown = append(silent, unlisted...)
	return out, err
}

// take the report of a member, and return which of its systems could not be asked.
func (o *vmOrphans) take(cluster string, report orphans.Report) (unlisted []silentMember) {
	o.Looked = append(o.Looked, looked{Cluster: cluster, ObservedAt: report.ObservedAt, More: report.More})
	for _, one := range report.Items {
		o.Items = append(o.Items, orphan{Cluster: cluster, Orphan: one})
	}
	for _, system := range report.Unknown {
		message := "driver " + system.Driver + ": " + system.Message
		if system.Left {
			message += "; no set names it any more, and its machines are told as they were last seen: delete ConfigMap " + orphans.Name +
				" there once you have seen to them"
		}
		unlisted = append(unlisted, silentMember{Cluster: cluster, Message: message})
	}
	return unlisted
}

func (o vmOrphans) print(out io.Writer, now time.Time) error {
	switch {
	case len(o.Items) > 0:
		w := newTable(out, 2)
		fmt.Fprintln(w, "CLUSTER\tDRIVER\tMACHINE\tSTATE\tSINCE\tMADE FOR")
		for _, one := range o.Items {
			state := cmp.Or(one.State, "-")
			if one.SeenAt != nil {
				state += " " + duration.HumanDuration(now.Sub(one.SeenAt.Time)) + " ago"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(one.Cluster, "-"), one.Driver, cmp.Or(one.ID, "-"), state,
				duration.HumanDuration(now.Sub(one.Since.Time)), one.Key)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	case len(o.Looked) == 0:
		fmt.Fprintln(out, "No member has looked yet: argosy-member-manager looks where a VMReplicaSet names a driver that can list machines.")
	default:
		fmt.Fprintln(out, "Every machine is known.")
	}
	for _, one := range o.Looked {
		more := ""
		if one.More > 0 {
			more = fmt.Sprintf("; %d more are not shown", one.More)
		}
		fmt.Fprintf(out, "%s was looked through %s ago%s\n", cmp.Or(one.Cluster, "This cluster"),
			duration.HumanDuration(now.Sub(one.ObservedAt.Time)), more)
	}
	for _, silent := range o.Unknown {
		fmt.Fprintf(out, "Unknown: %s: %s\n", cmp.Or(silent.Cluster, "this cluster"), silent.Message)
	}
	return nil
}
