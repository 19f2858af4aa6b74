package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// newReleaseCommand groups what people do with releases.
func newReleaseCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{Use: "release", Short: "Follow and decide releases in stages", Args: cobra.NoArgs}
	command.AddCommand(newReleaseStatusCommand(flags, streams), newReleaseHistoryCommand(flags, streams),
		newReleaseDiffCommand(flags, streams), newListCommand(flags, streams, "release", "Releases", "releases.release.argosy.dev"))
	for _, edit := range releaseEdits(clock.RealClock{}) {
		command.AddCommand(newReleaseEditCommand(flags, streams, edit))
	}
	for _, one := range command.Commands() {
		if one.Name() != "list" {
			one.ValidArgsFunction = once(completeNames(flags, releases))
		}
	}
	return command
}

// whoAmI is the name karmada-apiserver knows the user by.
func whoAmI(ctx context.Context, control client.Client) (string, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := control.Create(ctx, review); err != nil {
		return "", fmt.Errorf("asking karmada-apiserver who you are: %w", err)
	}
	return review.Status.UserInfo.Username, nil
}

func readRelease(ctx context.Context, control client.Reader, namespace string, args []string) (*v1alpha1.Release, error) {
	wrong := misnamed{problem: "name a Release", namespace: namespace, list: &v1alpha1.ReleaseList{}}
	if len(args) == 0 {
		return nil, wrong.explain(ctx, control)
	}
	release := &v1alpha1.Release{}
	if err := control.Get(ctx, client.ObjectKey{Namespace: namespace, Name: args[0]}, release); apierrors.IsNotFound(err) {
		wrong.problem = "Release " + args[0] + " does not exist"
		return nil, wrong.explain(ctx, control)
	} else if err != nil {
		return nil, fmt.Errorf("reading Release %s/%s: %w", namespace, args[0], err)
	}
	return release, nil
}

func newReleaseStatusCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	var format string
	var watch bool
	command := &cobra.Command{
		Use: "status NAME", Short: "Show the stages, what each cluster has, and what is waited for",
		Long:    "Shows the stages of a Release, what each cluster has of the revision, and what is waited for.",
		Example: "  argosyctl release status web -n shop -w",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := structured(io.Discard, format, nil); err != nil {
				return err
			}
			if watch && format != "text" {
				return errors.New("--watch prints text only")
			}
			control, namespace, err := controlPlane(flags)
			if err != nil {
				return err
			}
			release, err := readRelease(command.Context(), control, namespace, args)
			if err != nil {
				return err
			}
			if watch {
				return followRelease(command.Context(), streams.Out, control, release)
			}
			if done, err := printObjects(streams.Out, format, control, true, release); done {
				return err
			}
			return writeReleaseStatus(streams.Out, release)
		},
	}
	command.Flags().StringVarP(&format, "output", "o", "text", outputHelp)
	command.Flags().BoolVarP(&watch, "watch", "w", false, "print it again whenever it changes, until it is complete or rolled back")
	return command
}

// followRelease prints whenever something changed, until the release ends.
func followRelease(ctx context.Context, out io.Writer, control client.Reader, release *v1alpha1.Release) error {
	last, silence := "", outage{out: out}
	err := wait.PollUntilContextCancel(ctx, watchEvery, true, func(ctx context.Context) (bool, error) {
		err := control.Get(ctx, client.ObjectKeyFromObject(release), release)
		if over := silence.over(ctx, err); err != nil {
			return false, over
		}
		var text strings.Builder
		if err := writeReleaseStatus(&text, release); err != nil {
			return false, err
		}
		if text.String() != last {
			last = text.String()
			fmt.Fprintln(out, last)
		}
		return ended(release), nil
	})
	if ctx.Err() != nil {
		return nil // the person has seen enough
	}
	return err
}

func newReleaseHistoryCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	format := ""
	command := &cobra.Command{
		Use: "history NAME", Short: "List the revisions of an application, the newest last",
		Long:    "Lists the revisions that were released or tried, with their images; * is the template's, = the stable one, x a rejected one.",
		Example: "  argosyctl release history web -n shop",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := structured(io.Discard, format, nil); err != nil {
				return err
			}
			control, namespace, err := controlPlane(flags)
			if err != nil {
				return err
			}
			release, err := readRelease(command.Context(), control, namespace, args)
			if err != nil {
				return err
			}
			revisions := revisionsOf(release)
			if done, err := structured(streams.Out, format, revisions); done {
				return err
			}
			return writeHistory(streams.Out, revisions)
		},
	}
	command.Flags().StringVarP(&format, "output", "o", "text", outputHelp)
	return command
}
