package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/argosy-dev/argosy/migration/policy"
	"github.com/argosy-dev/argosy/release"
)

func newReleaseDiffCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	return &cobra.Command{
		Use: "diff NAME", Short: "Show what each cluster will get of the template's revision",
		Long: "Shows, for each cluster of the application, every field in which what it has differs from what it gets when the template's\n" +
			"revision is open there, with its OverridePolicies as they are today. Live fields, such as replicas, are never held and not\n" +
			"shown. The exit status is that of kubectl diff: 0 when nothing differs, 1 when something does, 2 or more when that could\n" +
			"not be found out.",
		Example: "  argosyctl release diff web -n shop",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			control, namespace, err := controlPlane(flags)
			if err != nil {
				return exitError{code: exitNotKnown, err: err}
			}
			of, err := readRelease(command.Context(), control, namespace, args)
			if err != nil {
				return exitError{code: exitNotKnown, err: err}
			}
			previews, err := release.Previews(command.Context(), control, of)
			if err != nil {
				return exitError{code: exitNotKnown, err: err}
			}
			return writePreviews(streams.Out, previews)
		},
	}
}

// writePreviews names clusters that get the same together.
func writePreviews(out io.Writer, previews []release.Preview) error {
	changes, differ := map[string][]string{}, 0
	var order []string
	for _, one := range previews {
		text := "  has nothing of it yet\n"
		if one.Now != nil {
			var err error
			if text, err = fieldByField(policy.Differences(one.Now.Object, one.Then.Object)); err != nil {
				return err
			}
		}
		if text == "" {
			text = "  nothing differs\n"
		} else {
			differ++
		}
		text = "revision " + cmp.Or(one.Revision, "none") + "\n" + text
		if one.With != "" {
			text = one.With + ", " + text
		}
		if _, ok := changes[text]; !ok {
			order = append(order, text)
		}
		changes[text] = append(changes[text], one.Cluster)
	}
	for _, text := range order {
		fmt.Fprintf(out, "%s: %s", strings.Join(changes[text], ", "), text)
	}
	if differ > 0 {
		return exitError{code: exitDiffers, err: errReported}
	}
	return nil
}

func fieldByField(differences []policy.Difference) (string, error) {
	var text strings.Builder
	for _, d := range differences {
		for _, side := range []struct {
			sign  string
			value any
		}{{"-", d.From}, {"+", d.To}} {
			if side.value == nil {
				continue
			}
			value, err := json.Marshal(side.value)
			if err != nil {
				return "", fmt.Errorf("%s: %w", d.Path, err)
			}
			fmt.Fprintf(&text, "  %s %s: %s\n", side.sign, d.Path, value)
		}
	}
	return text.String(), nil
}
