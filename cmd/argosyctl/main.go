// argosyctl is the command line of Argosy, also usable as `kubectl argosy` when installed as kubectl-argosy.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubectl/pkg/util/templates"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	out := newScreen(os.Stdout)
	streams.Out = out
	root := newCommand(commandName(os.Args[0]), streams)
	// client-go logs what it returns as well; a person reads it once, as the command's error.
	utilruntime.ErrorHandlers = nil
	err := root.ExecuteContext(ctrl.SetupSignalHandler())
	out.end()
	if err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintln(os.Stderr, "error:", err)
			if text := nextStep(err); text != "" {
				fmt.Fprintln(os.Stderr, "->", text)
			}
		}
		status := exitError{code: 1}
		errors.As(err, &status)
		os.Exit(status.code)
	}
}

// errReported ends a command whose output already says what is wrong.
var errReported = errors.New("reported")

// newCommand is the root with every command, in the groups its help shows them in.
func newCommand(name string, streams genericiooptions.IOStreams) *cobra.Command {
	streams.Out = newScreen(streams.Out)
	root := &cobra.Command{
		Use:         "argosyctl",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: name},
		Short:       "Operate workloads in a Karmada federation",
		Long: `argosyctl operates workloads in a Karmada federation; --kubeconfig and --context name karmada-apiserver.

The exit code is 0 when what was asked for was done and found, and 1 otherwise. More codes have: check (2: something could not be
found out), publish --dry-run and release diff (as kubectl diff: 1 when something differs, 2 or more for an error), is-karmada
(1, 2 and 3, as its help says), and a command that does not exist (3).`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	flags := genericclioptions.NewConfigFlags(true)
	flags.AddFlags(root.PersistentFlags())
	helped(root, templates.CommandGroups{
		{Message: "Applications in the federation:", Commands: []*cobra.Command{
			newPublishCommand(flags, streams),
			newIsKarmadaCommand(flags, streams),
			newMigrationCommand(flags, streams),
			newReleaseCommand(flags, streams),
			newScaleInCommand(flags, streams),
			newVMCommand(flags, streams),
		}},
		{Message: "Before you apply:", Commands: []*cobra.Command{
			newPolicyCommand(flags, streams),
			newFitCommand(flags, streams),
			newComponentCommand(flags, streams),
			newCronCommand(flags, streams),
			newInterpretCommand(streams),
		}},
		{Message: "Find out:", Commands: []*cobra.Command{
			newStatusCommand(flags, streams),
			newTraceCommand(flags, streams),
			newDoctorCommand(flags, streams),
			newFedHPACommand(flags, streams),
			newVersionCommand(flags, streams),
		}},
		{Message: "Install:", Commands: []*cobra.Command{
			newInstallCommand(flags, streams),
			newUninstallCommand(flags, streams),
			newCheckCommand(flags, streams),
		}},
	})
	complete(root, "namespace", completeNames(flags, namespaces))
	for flag, names := range map[string]func(clientcmdapi.Config) []string{
		"context": func(c clientcmdapi.Config) []string { return slices.Sorted(maps.Keys(c.Contexts)) },
		"cluster": func(c clientcmdapi.Config) []string { return slices.Sorted(maps.Keys(c.Clusters)) },
		"user":    func(c clientcmdapi.Config) []string { return slices.Sorted(maps.Keys(c.AuthInfos)) },
	} {
		complete(root, flag, completeKubeconfig(flags, names))
	}
	callItself(root, name)
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
