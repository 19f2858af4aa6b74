package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// TestWhatIsTypedWrong: each mistake is answered by what to type instead, and a command that has subcommands is still one itself.
func TestWhatIsTypedWrong(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	for typed, want := range map[string]string{
		"nosuch":                        `unknown command "nosuch" for "argosyctl"`,
		"migration aprove x/y":          `unknown command "aprove" for "argosyctl migration"`,
		"cron previw":                   `unknown command "previw" for "argosyctl cron"`,
		"fedhpa explian web":            `unknown command "explian" for "argosyctl fedhpa"`,
		"migration plan":                "name one application as kind/name",
		"migration status":              "no kubeconfig says where karmada-apiserver is: set KUBECONFIG, --kubeconfig or --server",
		"scalein":                       "name one CloneSet, such as: argosyctl scalein shop -n prod",
		"scalein adopt":                 "name one CloneSet, such as: argosyctl scalein adopt shop -n prod",
		"scalein web":                   "name at least one pod with --pod",
		"scalein web --pod member1/web": "no kubeconfig says where karmada-apiserver is",
		"doctor":                        "no kubeconfig says where karmada-apiserver is",
		"uninstall":                     "no kubeconfig says where karmada-apiserver is",
		"scalein adopt web":             "no kubeconfig says where karmada-apiserver is",
		"fit":                           "name the workload's file with -f",
		"component preview":             "name the Component's file with -f",
		"policy":                        "name the application's folder with -f",
		"policy -f nosuch":              "reading the application's folder (-f): stat nosuch",
		"policy -f main.go":             "-f main.go is a file: name the folder that holds the application's objects",
		"publish":                       "name the application's folder with -f",
		"interpret -f x.yaml":           "name the question with --operation: InterpretReplica, ",
		"migration approve deploy/web":  "name the plan you have read with --plan: 'argosyctl migration plan deploy/web' shows it",
		"cron preview -f ../../deploy/samples/component.yaml": `holds a "Component", want a CronHPA`,
		"uninstall --server https://127.0.0.1:1":              "--host-kubeconfig is needed: the kubeconfig of the host cluster; only a pod there can do without",
	} {
		t.Run(typed, func(t *testing.T) {
			root := newCommand("argosyctl", genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard})
			root.SetArgs(strings.Fields(typed))
			if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// TestHelpOfEveryCommand: each has an example, and a line in the list of commands that fits a terminal.
func TestHelpOfEveryCommand(t *testing.T) {
	const margin = len("  is-karmada  ")
	each(newCommand("argosyctl", genericiooptions.NewTestIOStreamsDiscard()), func(c *cobra.Command) {
		if width := margin + len(c.Short); width > 100 {
			t.Errorf("%s: %q makes a line of %d columns, want at most 100", c.CommandPath(), c.Short, width)
		}
		if !c.HasSubCommands() && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example", c.CommandPath())
		}
	})
}

// TestPluginCallsItselfByItsName: kubectl runs it as kubectl-argosy, and what the help says is what can be typed.
func TestPluginCallsItselfByItsName(t *testing.T) {
	each(newCommand(commandName("/usr/local/bin/kubectl-argosy"), genericiooptions.NewTestIOStreamsDiscard()), func(c *cobra.Command) {
		if !strings.HasPrefix(c.CommandPath(), "kubectl argosy") {
			t.Errorf("calls itself %s", c.CommandPath())
		}
		if strings.Contains(c.Example, "argosyctl") {
			t.Errorf("%s: an example calls it argosyctl:\n%s", c.CommandPath(), c.Example)
		}
	})
}

// each visits a command and those below it, but not what cobra adds by itself.
func each(command *cobra.Command, visit func(*cobra.Command)) {
	if command.Name() == "completion" || command.Name() == "help" {
		return
	}
	visit(command)
	for _, child := range command.Commands() {
		each(child, visit)
	}
}
