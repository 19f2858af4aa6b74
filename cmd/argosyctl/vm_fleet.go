package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/members"
)

// silentMember is a member that could not be asked: what it holds is not known.
type silentMember struct {
	Cluster string `json:"cluster"`
	Message string `json:"message"`
}

// fleetReader asks the members of a federation; an API server without Clusters is a member itself.
type fleetReader struct {
	control client.Client
	// only these; empty: all.
	only []string
	// member reaches one; nil: with the credentials that Karmada has for it.
	member func(ctx context.Context, cluster string) (client.Reader, error)
}

// membersAtOnce bounds how many members are asked beside each other.
const membersAtOnce = 16

// each visits every member, some beside each other; what a visit returns is done for one after the other, in the order of the Clusters. Who
// cannot be asked is told, and stops nobody else.
func (f fleetReader) each(ctx context.Context, visit func(cluster string, member client.Reader) (done func(), err error)) (
	[]silentMember, error) {
	clusters := &clusterv1alpha1.ClusterList{}
	err := f.control.List(ctx, clusters)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		if len(f.only) > 0 {
			return nil, errors.New("--member: this API server has no Clusters; name karmada-apiserver with --context")
		}
		done, err := visit("", f.control)
		if err == nil {
			done()
		}
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("listing Clusters: %w", err)
	}
	names, err := f.chosen(clusters.Items)
	if err != nil {
		return nil, err
	}
	reach := f.member
	if reach == nil {
		known := &members.Members{Reader: f.control}
		reach = func(ctx context.Context, cluster string) (client.Reader, error) { return known.Client(ctx, cluster) }
	}
	visits, failures := make([]func(), len(names)), make([]error, len(names))
	var asking errgroup.Group
	asking.SetLimit(membersAtOnce)
	for i, name := range names {
		asking.Go(func() error {
			member, err := reach(ctx, name)
			if err == nil {
				visits[i], err = visit(name, member)
			}
			failures[i] = err
			return nil
		})
	}
	_ = asking.Wait() // each failure is its member's
	var silent []silentMember
	for i, name := range names {
		if failures[i] != nil {
			silent = append(silent, silentMember{Cluster: name, Message: failures[i].Error()})
			continue
		}
		visits[i]()
	}
	return silent, nil
}

// chosen are the names of the Clusters that are asked.
func (f fleetReader) chosen(clusters []clusterv1alpha1.Cluster) ([]string, error) {
	var names []string
	for i := range clusters {
		names = append(names, clusters[i].Name)
	}
	for _, name := range f.only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--member: there is no Cluster %q; there is: %s", name, cmp.Or(strings.Join(names, ", "), "none"))
		}
	}
	if len(f.only) > 0 {
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(f.only, name) })
	}
	return names, nil
}

// heard is what members said.
type heard interface {
	print(out io.Writer, now time.Time) error
	silent() []silentMember
}

// tellOfMembers completes a command that asks members and prints what they say, for people or for programs.
func tellOfMembers[H heard](command *cobra.Command, flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams,
	ask func(context.Context, fleetReader) (H, error)) *cobra.Command {
	var output string
	var only []string
	command.Args = cobra.NoArgs
	command.RunE = func(command *cobra.Command, _ []string) error {
		if _, err := structured(io.Discard, output, nil); err != nil {
			return err
		}
		control, _, err := controlPlane(flags)
		if err != nil {
			return err
		}
		found, err := ask(command.Context(), fleetReader{control: control, only: only})
		if err != nil {
			return err
		}
		done, err := structured(streams.Out, output, found)
		if !done {
			err = found.print(streams.Out, clock.RealClock{}.Now())
		}
		return errors.Join(err, unsaid(found.silent()))
	}
	command.Flags().StringSliceVar(&only, "member", nil, "these members alone")
	command.Flags().StringVarP(&output, "output", "o", "text", outputHelp)
	complete(command, "member", completeNames(flags, clusters))
	return command
}
