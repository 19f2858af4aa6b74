package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/templates"
)

// helped gives the commands kubectl's own way of helping: groups on the first page, and the options of all commands on a page
// of their own instead of under each.
func helped(root *cobra.Command, groups templates.CommandGroups) {
	groups.Add(root)
	root.AddCommand(newOptionsCommand())
	templates.ActsAsRootCommand(root, []string{"options", "help"}, groups...)
	root.Run = func(command *cobra.Command, _ []string) { _ = command.Help() }
	root.Args = none
	for _, group := range root.Commands() {
		if group.HasSubCommands() && !group.Runnable() {
			// Without these a subcommand that is none prints the help and ends well.
			group.Args = none
			group.RunE = func(command *cobra.Command, _ []string) error { return command.Help() }
		}
	}
}

func newOptionsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "options",
		Short:   "Print the options that every command takes",
		Example: "  argosyctl options",
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return command.Usage() },
	}
	templates.UseOptionsTemplates(command)
	return command
}

// none refuses a word that is no subcommand, and says which it may have been meant to be: cobra does that for the root alone.
func none(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	problem := fmt.Errorf("unknown command %q for %q", args[0], command.CommandPath())
	if command.SuggestionsMinimumDistance <= 0 {
		command.SuggestionsMinimumDistance = 2
	}
	if meant := command.SuggestionsFor(args[0]); len(meant) > 0 {
		problem = fmt.Errorf("%w; did you mean %s?", problem, strings.Join(meant, " or "))
	}
	// A pipeline that mistypes is-karmada must not read its answer Static in that.
	return exitError{code: exitUnknown, err: problem}
}
