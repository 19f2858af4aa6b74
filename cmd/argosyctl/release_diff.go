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
	format := ""
	command := &cobra.Command{
		Use: "diff NAME", Short: "Show what each cluster will get of the template's revision",
		Long: "Shows, for each cluster of the application, every field in which what it has differs from what it gets when the template's\n" +
			"revision is open there, with its OverridePolicies as they are today. Live fields, such as replicas, are never held and not\n" +
			"shown. The exit status is that of kubectl diff: 0 when nothing differs, 1 when something does, 2 or more when that could\n" +
			"not be found out.",
		Example: "  argosyctl release diff web -n shop",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if _, err := structured(io.Discard, format, nil); err != nil {
				return exitError{code: exitNotKnown, err: err}
			}
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
			return writePreviews(streams.Out, previews, format)
		},
	}
	command.Flags().StringVarP(&format, "output", "o", "text", outputHelp)
	return command
}

// difference of one cluster, as programs are told of it.
type difference struct {
	Cluster string `json:"cluster"`
	// With is what goes out with the target; empty for the target itself.
	With string `json:"with,omitempty"`
	// Revision that the cluster has; empty where nothing was held yet.
	Revision string `json:"revision,omitempty"`
	// New where the cluster has nothing of it yet.
	New     bool     `json:"new"`
	Changes []change `json:"changes"`
}

// change of one field; null is a field that is not there.
type change struct {
	Path string `json:"path"`
	From any    `json:"from"`
	To   any    `json:"to"`
}

func differencesOf(previews []release.Preview) (all []difference, differ int) {
	all = []difference{}
	for _, one := range previews {
		d := difference{Cluster: one.Cluster, With: one.With, Revision: one.Revision, New: one.Now == nil, Changes: []change{}}
		if one.Now != nil {
			for _, c := range policy.Differences(one.Now.Object, one.Then.Object) {
				d.Changes = append(d.Changes, change{Path: c.Path, From: c.From, To: c.To})
			}
		}
		if d.New || len(d.Changes) > 0 {
			differ++
		}
		all = append(all, d)
	}
	return all, differ
}

// writePreviews names clusters that get the same together.
func writePreviews(out io.Writer, previews []release.Preview, format string) error {
	all, differing := differencesOf(previews)
	if done, err := structured(out, format, all); err != nil {
		return exitError{code: exitNotKnown, err: err}
	} else if done {
		return differs(differing)
	}
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
	return differs(differ)
}

// differs is the exit status of kubectl diff.
func differs(n int) error {
	if n > 0 {
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
