package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// newReleaseCommand groups what people do with releases.
func newReleaseCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{Use: "release", Short: "Follow and decide releases in stages", Args: cobra.NoArgs}
	command.AddCommand(newReleaseStatusCommand(flags, streams), newReleaseHistoryCommand(flags, streams))
	for _, edit := range releaseEdits(clock.RealClock{}) {
		command.AddCommand(newReleaseEditCommand(flags, streams, edit))
	}
	return command
}

// releaseEdit is a decision of a person: one patch of the spec.
type releaseEdit struct {
	use, short, long string
	// user is true where the name of whoever asks is needed.
	user bool
	// change the Release; the answer says what was done, an error why it is not.
	change func(release *v1alpha1.Release, user string) (string, error)
}

func releaseEdits(now clock.PassiveClock) []releaseEdit {
	return []releaseEdit{
		{
			use: "approve NAME", short: "Approve the stage that waits, in your own name", user: true, change: approveStage(now),
			long: "Approves the stage of the current revision that waits for people. Another person must give the next approval of the same stage.",
		},
		{
			use: "pause NAME", short: "Open nothing further", long: "Opens nothing further. What is open stays so; a rejection still acts at once.",
			change: func(release *v1alpha1.Release, _ string) (string, error) {
				release.Spec.Mode = v1alpha1.ModePause
				return "paused", nil
			},
		},
		{
			use: "resume NAME", short: "Go on after a pause", long: "Goes on after a pause.",
			change: func(release *v1alpha1.Release, _ string) (string, error) {
				release.Spec.Mode = v1alpha1.ModeRun
				return "goes on", nil
			},
		},
		{
			use: "promote NAME", short: "Open the current revision everywhere, without the stages left", change: promoteRevision,
			long: "Opens the current revision in every cluster at once, without the stages, soaks and approvals that are left.",
		},
		{
			use: "undo NAME", short: "Reject the current revision: every cluster goes back to the stable one", change: undoRevision,
			long: "Rejects the current revision: it is open nowhere, and every cluster that has it goes back to the stable one. The template\n" +
				"is not written; put it back, or write another one.",
		},
		{
			use: "retry NAME", short: "Begin a rejected revision at the first stage again", change: retryRevision,
			long: "Begins the current revision at the first stage again, after it was rejected or failed by itself.",
		},
	}
}

func approveStage(now clock.PassiveClock) func(*v1alpha1.Release, string) (string, error) {
	return func(release *v1alpha1.Release, user string) (string, error) {
		status := &release.Status
		if status.Stage == "" || status.Revision == "" {
			return "", errors.New("no stage is open: there is nothing to approve")
		}
		if !slices.ContainsFunc(release.Spec.Stages, func(s v1alpha1.Stage) bool { return s.Name == status.Stage && s.Gates.Approvals > 0 }) {
			return "", fmt.Errorf("stage %s needs no approval", status.Stage)
		}
		for _, a := range release.Spec.Approvals {
			if a.User == user && a.Revision == status.Revision && a.Stage == status.Stage {
				return "", fmt.Errorf("%s has approved stage %s of revision %s already: another person must", user, a.Stage, a.Revision)
			}
		}
		at := metav1.NewTime(now.Now())
		// Approvals of revisions that are gone make room.
		release.Spec.Approvals = slices.DeleteFunc(release.Spec.Approvals, func(a v1alpha1.Approval) bool {
			return a.Revision != status.Revision
		})
		approval := v1alpha1.Approval{Revision: status.Revision, Stage: status.Stage, User: user, Time: &at}
		release.Spec.Approvals = append(release.Spec.Approvals, approval)
		return fmt.Sprintf("%s approved stage %s of revision %s", user, status.Stage, status.Revision), nil
	}
}

func promoteRevision(release *v1alpha1.Release, _ string) (string, error) {
	if release.Status.Revision == "" {
		return "", errors.New("the controller has not looked at it yet")
	}
	release.Spec.Promoted = release.Status.Revision
	release.Spec.Mode = v1alpha1.ModeRun
	return "revision " + release.Status.Revision + " is opened everywhere", nil
}

func undoRevision(release *v1alpha1.Release, _ string) (string, error) {
	status := &release.Status
	switch {
	case status.Dispatch == nil || status.Revision == "":
		return "", errors.New("the controller has not looked at it yet")
	case status.Revision == status.Dispatch.Stable:
		return "", fmt.Errorf("revision %s is the stable one and runs everywhere: put an older template back, and it is released in stages",
			status.Revision)
	case slices.Contains(release.Spec.Rejected, status.Revision):
		return "", fmt.Errorf("revision %s is rejected already", status.Revision)
	}
	if release.Spec.Promoted == status.Revision {
		release.Spec.Promoted = ""
	}
	release.Spec.Rejected = append(release.Spec.Rejected, status.Revision)
	return fmt.Sprintf("revision %s is rejected: every cluster goes back to %s", status.Revision, status.Dispatch.Stable), nil
}

func retryRevision(release *v1alpha1.Release, _ string) (string, error) {
	status := &release.Status
	rejected := slices.Contains(release.Spec.Rejected, status.Revision)
	failed := status.Failure != nil && status.Failure.Revision == status.Revision && max(release.Spec.Attempt, 1) <= status.Failure.Attempt
	if !rejected && !failed {
		return "", fmt.Errorf("revision %s was not rejected", status.Revision)
	}
	release.Spec.Rejected = slices.DeleteFunc(release.Spec.Rejected, func(r string) bool { return r == status.Revision })
	if failed {
		release.Spec.Attempt = status.Failure.Attempt + 1
	}
	release.Spec.Approvals = slices.DeleteFunc(release.Spec.Approvals, func(a v1alpha1.Approval) bool { return a.Revision == status.Revision })
	return "revision " + status.Revision + " begins at the first stage", nil
}

func newReleaseEditCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams, edit releaseEdit) *cobra.Command {
	verb, _, _ := strings.Cut(edit.use, " ")
	return &cobra.Command{
		Use: edit.use, Short: edit.short, Long: edit.long, Example: "  argosyctl release " + verb + " web -n shop",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			control, namespace, err := controlPlane(flags)
			if err != nil {
				return err
			}
			user := ""
			if edit.user {
				if user, err = whoAmI(command.Context(), control); err != nil {
					return err
				}
			}
			said := ""
			// The controller writes the status meanwhile: a decision is about what was read, so it is made anew.
			err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
				release, err := readRelease(command.Context(), control, namespace, args)
				if err != nil {
					return err
				}
				before := release.DeepCopy()
				if said, err = edit.change(release, user); err != nil {
					return err
				}
				return control.Patch(command.Context(), release, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(streams.Out, said)
			return nil
		},
	}
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
			if done, err := structured(streams.Out, format, release); done {
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
	last := ""
	err := wait.PollUntilContextCancel(ctx, watchEvery, true, func(ctx context.Context) (bool, error) {
		if err := control.Get(ctx, client.ObjectKeyFromObject(release), release); err != nil {
			return false, err
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
	return &cobra.Command{
		Use: "history NAME", Short: "List the revisions of an application, the newest last",
		Long:    "Lists the revisions that were released or tried, with their images; * is the template's, = the stable one, x a rejected one.",
		Example: "  argosyctl release history web -n shop",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			control, namespace, err := controlPlane(flags)
			if err != nil {
				return err
			}
			release, err := readRelease(command.Context(), control, namespace, args)
			if err != nil {
				return err
			}
			return writeHistory(streams.Out, release)
		},
	}
}
