// argosyctl is the command line of Argosy, also usable as `kubectl argosy` when installed as kubectl-argosy.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	root := newCommand(commandName(os.Args[0]), streams)
	if err := root.ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintln(os.Stderr, "error:", err)
		}
		status := exitError{code: 1}
		if _, _, unknown := root.Find(os.Args[1:]); unknown != nil {
			// A pipeline that mistypes is-karmada must not read its answer Static in that.
			status.code = exitUnknown
		}
		errors.As(err, &status)
		os.Exit(status.code)
	}
}

// errReported ends a command whose output already says what is wrong.
var errReported = errors.New("reported")

// newCommand is the root with every command group: one line each.
func newCommand(name string, streams genericiooptions.IOStreams) *cobra.Command {
	root := &cobra.Command{
		Use:           "argosyctl",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: name},
		Short:         "Operate workloads in a Karmada federation",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	// --kubeconfig and --context reach karmada-apiserver.
	flags := genericclioptions.NewConfigFlags(true)
	flags.AddFlags(root.PersistentFlags())
	root.AddCommand(
		newInterpretCommand(streams),
		newDoctorCommand(flags, streams),
		newFitCommand(flags, streams),
		newStatusCommand(flags, streams),
		newTraceCommand(flags, streams),
		newInstallCommand(flags, streams),
		newUninstallCommand(flags, streams),
		newPolicyCommand(flags, streams),
		newComponentCommand(flags, streams),
		newCronCommand(flags, streams),
		newScaleInCommand(flags, streams),
		newFedHPACommand(flags, streams),
		newMigrationCommand(flags, streams),
		newPublishCommand(flags, streams),
		newIsKarmadaCommand(flags, streams),
	)
	callItself(root, name)
	for _, group := range root.Commands() {
		if group.HasSubCommands() && !group.Runnable() {
			// Without these a subcommand that is none prints the help and ends well.
			group.Args = cobra.NoArgs
			group.RunE = func(command *cobra.Command, _ []string) error { return command.Help() }
		}
	}
	return root
}

// callItself writes the program's name into every example.
func callItself(command *cobra.Command, name string) {
	command.Example = strings.ReplaceAll(command.Example, "argosyctl", name)
	for _, child := range command.Commands() {
		callItself(child, name)
	}
}

// commandName is how the help calls the program: kubectl runs plugins as kubectl-<name>.
func commandName(path string) string {
	if plugin, ok := strings.CutPrefix(filepath.Base(path), "kubectl-"); ok {
		return "kubectl " + plugin
	}
	return "argosyctl"
}
