package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// releaseEdit is a decision of a person: one patch of the spec.
type releaseEdit struct {
	use, short, long string
	// example is the verb and what follows it; the verb and a name when empty.
	example string
	// user is true where the name of whoever asks is needed.
	user bool
	// flags of the command, or nil.
	flags func(*pflag.FlagSet)
	// change the Release; the answer says what was done, an error why it is not.
	change func(release *v1alpha1.Release, user string) (string, error)
}

func releaseEdits(now clock.PassiveClock) []releaseEdit {
	return append([]releaseEdit{reportCheck(now), undo()}, []releaseEdit{
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
			use: "retry NAME", short: "Begin a rejected revision at the first stage again", change: retryRevision,
			long: "Begins the current revision at the first stage again, after it was rejected or failed by itself.",
		},
	}...)
}

// reportCheck says how a check of the stage that is open ended.
func reportCheck(now clock.PassiveClock) releaseEdit {
	var check, result, message string
	return releaseEdit{
		use: "report NAME --check=CHECK --result=Passed|Failed", short: "Say how a check of the open stage ended, in your own name", user: true,
		long: "Says how a check of the stage that is open ended, for the current revision: a stage with gates.checks waits until each of them\n" +
			"passed. One that failed is a failure of the revision: it goes back with onFailure: Rollback, and waits for people otherwise.",
		example: "report web --check=Smoke --result=Passed",
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&check, "check", "", "name of the check, as in gates.checks of the stage")
			set.StringVar(&result, "result", "", "how it ended: Passed or Failed")
			set.StringVar(&message, "message", "", "what people should know of it")
		},
		change: func(release *v1alpha1.Release, user string) (string, error) {
			status := &release.Status
			switch {
			case check == "":
				return "", errors.New("--check: name the check")
			case result != string(v1alpha1.CheckPassed) && result != string(v1alpha1.CheckFailed):
				return "", fmt.Errorf("--result: want %s or %s, have %q", v1alpha1.CheckPassed, v1alpha1.CheckFailed, result)
			case status.Stage == "" || status.Revision == "":
				return "", errors.New("no stage is open: there is nothing to report about")
			}
			asked := checksOf(release, status.Stage)
			if result == string(v1alpha1.CheckPassed) && !slices.Contains(asked, check) {
				return "", fmt.Errorf("--check: stage %s does not wait for %s; it waits for: %s", status.Stage, check,
					cmp.Or(strings.Join(asked, ", "), "no check"))
			}
			at := metav1.NewTime(now.Now())
			// Checks of revisions that are gone make room, and so does one's own earlier word on the same.
			release.Spec.Checks = slices.DeleteFunc(release.Spec.Checks, func(c v1alpha1.Check) bool {
				return c.Revision != status.Revision || c.Stage == status.Stage && c.Name == check && c.User == user
			})
			release.Spec.Checks = append(release.Spec.Checks, v1alpha1.Check{
				Revision: status.Revision, Stage: status.Stage, Name: check, Result: v1alpha1.CheckResult(result), Message: message, User: user,
				Time: &at,
			})
			return fmt.Sprintf("check %s of stage %s of revision %s: %s", check, status.Stage, status.Revision, result), nil
		},
	}
}

// checksOf a stage are those that it waits for.
func checksOf(release *v1alpha1.Release, stage string) []string {
	i := slices.IndexFunc(release.Spec.Stages, func(s v1alpha1.Stage) bool { return s.Name == stage })
	if i < 0 {
		return nil
	}
	return release.Spec.Stages[i].Gates.Checks
}

func undo() releaseEdit {
	var to string
	return releaseEdit{
		use: "undo NAME", short: "Reject the current revision: every cluster goes back to the stable one, or to an older",
		long: "Rejects the current revision: it is open nowhere, and every cluster goes back to the stable one, or, with\n" +
			"--to-revision, to that one of the history. The template is not written; put it back, or write another one.",
		flags: func(set *pflag.FlagSet) {
			set.StringVar(&to, "to-revision", "", "revision of argosyctl release history that every cluster goes back to")
		},
		change: func(release *v1alpha1.Release, _ string) (string, error) { return undoRevision(release, to) },
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
		return "", unread(release)
	}
	release.Spec.Promoted = release.Status.Revision
	release.Spec.Mode = v1alpha1.ModeRun
	return "revision " + release.Status.Revision + " is opened everywhere", nil
}

// unread is a Release of which no revision is known, and why.
func unread(release *v1alpha1.Release) error {
	if adopted := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionAdopted); adopted != nil {
		return fmt.Errorf("no revision of it is known yet: %s", adopted.Message)
	}
	return errors.New("the controller has not looked at it yet")
}

func undoRevision(release *v1alpha1.Release, to string) (string, error) {
	status := &release.Status
	if status.Dispatch == nil || status.Revision == "" {
		return "", unread(release)
	}
	stable := status.Dispatch.Stable
	if to != "" && to != stable {
		return undoTo(release, to)
	}
	switch {
	case status.Revision == stable:
		return "", fmt.Errorf("revision %s is the stable one and runs everywhere: name an older one of argosyctl release history with "+
			"--to-revision", status.Revision)
	case slices.Contains(release.Spec.Rejected, status.Revision):
		return "", fmt.Errorf("revision %s is rejected already", status.Revision)
	}
	rejectRevision(release, status.Revision)
	return fmt.Sprintf("revision %s is rejected: every cluster goes back to %s", status.Revision, stable), nil
}

// undoTo an older revision: the stable one is rejected too, and so is what is under way.
func undoTo(release *v1alpha1.Release, to string) (string, error) {
	status := &release.Status
	switch {
	case !slices.ContainsFunc(status.History, func(r v1alpha1.Revision) bool { return r.Name == to }):
		return "", fmt.Errorf("--to-revision: revision %s is not in the history; argosyctl release history %s -n %s lists those there are", to,
			release.Name, release.Namespace)
	case to == status.Revision:
		return "", fmt.Errorf("--to-revision: %s is the template's own revision: argosyctl release promote %s -n %s opens it everywhere", to,
			release.Name, release.Namespace)
	}
	release.Spec.Rejected = slices.DeleteFunc(release.Spec.Rejected, func(r string) bool { return r == to })
	rejectRevision(release, status.Dispatch.Stable)
	rejectRevision(release, status.Revision)
	release.Spec.RollbackTo = to
	return fmt.Sprintf("revision %s is rejected: every cluster goes back to %s", status.Revision, to), nil
}

func rejectRevision(release *v1alpha1.Release, revision string) {
	if release.Spec.Promoted == revision {
		release.Spec.Promoted = ""
	}
	if !slices.Contains(release.Spec.Rejected, revision) {
		release.Spec.Rejected = append(release.Spec.Rejected, revision)
	}
}

func retryRevision(release *v1alpha1.Release, _ string) (string, error) {
	status := &release.Status
	rejected := slices.Contains(release.Spec.Rejected, status.Revision)
	failed := status.Failure != nil && status.Failure.Revision == status.Revision && max(release.Spec.Attempt, 1) <= status.Failure.Attempt
	if status.Revision == "" {
		return "", unread(release)
	}
	if !rejected && !failed {
		return "", fmt.Errorf("revision %s was not rejected", status.Revision)
	}
	release.Spec.Rejected = slices.DeleteFunc(release.Spec.Rejected, func(r string) bool { return r == status.Revision })
	if failed {
		release.Spec.Attempt = status.Failure.Attempt + 1
	}
	release.Spec.Approvals = slices.DeleteFunc(release.Spec.Approvals, func(a v1alpha1.Approval) bool { return a.Revision == status.Revision })
	release.Spec.Checks = slices.DeleteFunc(release.Spec.Checks, func(c v1alpha1.Check) bool { return c.Revision == status.Revision })
	return "revision " + status.Revision + " begins at the first stage", nil
}

func newReleaseEditCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams, edit releaseEdit) *cobra.Command {
	verb, _, _ := strings.Cut(edit.use, " ")
	command := &cobra.Command{
		Use: edit.use, Short: edit.short, Long: edit.long, Example: "  argosyctl release " + cmp.Or(edit.example, verb+" web") + " -n shop",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			control, namespace, err := controlPlane(flags)
			if err != nil {
				return err
			}
			control = writer(command, control, streams.Out)
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
	if edit.flags != nil {
		edit.flags(command.Flags())
	}
	return rehearsable(command)
}
