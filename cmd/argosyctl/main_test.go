package main

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/argosy-dev/argosy/deploy"
)

// TestWhatIsTypedWrong: each mistake is answered by what to type instead, and a command that has subcommands is still one itself.
func TestWhatIsTypedWrong(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	for typed, want := range map[string]string{
		"nosuch":                          `unknown command "nosuch" for "argosyctl"`,
		"is-karmda deployment/web":        `unknown command "is-karmda" for "argosyctl"; did you mean is-karmada?`,
		"migration plan a b c":            "name one application as kind/name",
		"migration plan deploy/web x":     "name one application as kind/name",
		"migration plan deploy web":       "no kubeconfig says where karmada-apiserver is",
		"version":                         "no kubeconfig says where karmada-apiserver is",
		"migration aprove x/y":            `unknown command "aprove" for "argosyctl migration"; did you mean approve?`,
		"cron previw":                     `unknown command "previw" for "argosyctl cron"`,
		"fedhpa explian web":              `unknown command "explian" for "argosyctl fedhpa"`,
		"migration plan":                  "name one application as kind/name",
		"migration status":                "no kubeconfig says where karmada-apiserver is: set KUBECONFIG, --kubeconfig or --server",
		"scalein":                         "name one CloneSet, such as: argosyctl scalein shop -n prod",
		"scalein adopt":                   "name one CloneSet, such as: argosyctl scalein adopt shop -n prod",
		"scalein deploy/web":              `"deploy/web" is no CloneSet`,
		"scalein cloneset/Web --pod a":    `"Web" is no name of a CloneSet`,
		"scalein clonesets/web --pod a":   "no kubeconfig says where karmada-apiserver is",
		"scalein adopt deploy/web":        `"deploy/web" is no CloneSet`,
		"status deploy/web -o wide":       "no kubeconfig says where karmada-apiserver is",
		"status deploy/web -o foo":        "custom-columns=...; wide shows more of the text",
		"trace deploy/web -o wide":        "no kubeconfig says where karmada-apiserver is",
		"scalein web":                     "name at least one pod with --pod",
		"scalein web --pod member1/web":   "no kubeconfig says where karmada-apiserver is",
		"doctor":                          "no kubeconfig says where karmada-apiserver is",
		"uninstall":                       "no kubeconfig says where karmada-apiserver is",
		"scalein adopt web":               "no kubeconfig says where karmada-apiserver is",
		"fit":                             "name the workload's file with -f",
		"component preview":               "name the Component's file with -f",
		"policy":                          "name the application's folder with -f",
		"vm plan":                         "name the VMReplicaSet's file with -f",
		"vm plan -f main.go -o wide":      `--output "wide" is not known`,
		"vm approve payments":             `"payments": write KIND/NAME, with KIND one of vmreplicaset, vmdeployment, server`,
		"vm approve component/web":        `"component/web": write KIND/NAME`,
		"vm approve vmrs/web --reject":    "say why with --reason",
		"vm approve vmrs/web":             "no kubeconfig says where karmada-apiserver is",
		"component approve web":           "no kubeconfig says where karmada-apiserver is",
		"vm override web":                 `--state "": want one of Initializing, Deploying, Ready, Offline`,
		"vm override web --state Ready":   "say why with --reason",
		"vm override web --remove --once": "--remove ends the override",
		"vm deletions -o wide":            `--output "wide" is not known`,
		"vm explain":                      "name one object, such as: argosyctl vm explain KIND/NAME",
		"vm explain vmrs a/b":             "name one object, such as: argosyctl vm explain KIND/NAME",
		"vm explain vmrs payments":        "no kubeconfig says where karmada-apiserver is",
		"component adopt deploy web":      "no kubeconfig says where karmada-apiserver is",
		"release list -A":                 "no kubeconfig says where karmada-apiserver is",
		"vm list extra":                   `unknown command "extra" for "argosyctl vm list"`,
		"vm explain payments":             `"payments": write KIND/NAME`,
		"policy -f nosuch":                "reading the application's folder (-f): stat nosuch",
		"policy -f main.go":               "loading main.go: reading main.go: ",
		"publish":                         "name the application's folder with -f",
		"interpret -f x.yaml":             "name the question with --operation: InterpretReplica, ",
		"migration approve deploy/web":    "name the plan you have read with --plan: 'argosyctl migration plan -n default deploy/web' shows it",
		"cron preview -f ../../deploy/samples/component.yaml": `holds a "Component", want a CronHPA`,
		"uninstall --server https://127.0.0.1:1": "--host-kubeconfig is needed: the kubeconfig of the host cluster; only a pod " +
			"there can do without",
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

// TestAMistypedCommandIsNoAnswer: a pipeline reads exit status 1 of is-karmada as Static.
func TestAMistypedCommandIsNoAnswer(t *testing.T) {
	for _, typed := range []string{"is-karmda deployment/web", "migration pan deployment/web"} {
		root := newCommand("argosyctl", genericiooptions.NewTestIOStreamsDiscard())
		root.SetArgs(strings.Fields(typed))
		var status exitError
		if err := root.ExecuteContext(t.Context()); !errors.As(err, &status) || status.code != exitUnknown {
			t.Errorf("%s: %v with status %d, want %d", typed, err, status.code, exitUnknown)
		}
	}
}

// TestHelpIsInGroups: the first page lists every command under a heading, and the options of all commands stand on a page of their own.
func TestHelpIsInGroups(t *testing.T) {
	help := func(args ...string) string {
		var out bytes.Buffer
		root := newCommand("argosyctl", genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out})
		root.SetArgs(args)
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	first := help()
	for _, want := range []string{"Applications in the federation:\n  publish ", "Find out:\n  status ", "argosyctl options"} {
		if !strings.Contains(first, want) {
			t.Errorf("no %q in\n%s", want, first)
		}
	}
	for page, shown := range map[string]bool{"migration plan --help": false, "options": true} {
		if strings.Contains(help(strings.Fields(page)...), "--as-uid") != shown {
			t.Errorf("%s: --as-uid is shown: %t, want %t", page, !shown, shown)
		}
	}
}

func TestKindsOfArgosy(t *testing.T) {
	have := kindsOfArgosy([]*metav1.APIResourceList{
		{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{{Name: "deployments", Kind: "Deployment"}}},
		{
			GroupVersion: "vm.argosy.dev/v1alpha1", APIResources: []metav1.APIResource{
				{Name: "servers", Kind: "Server"}, {Name: "servers/status", Kind: "Server"},
			},
		},
		{GroupVersion: "apps.argosy.dev/v1alpha1", APIResources: []metav1.APIResource{{Name: "podscaleins", Kind: "PodScaleIn"}}},
	})
	if diff := cmp.Diff([]string{"PodScaleIn.v1alpha1.apps.argosy.dev", "Server.v1alpha1.vm.argosy.dev"}, have); diff != "" {
		t.Error(diff)
	}
}

// TestGroupsOfArgosy: version knows the group of every kind that install brings.
func TestGroupsOfArgosy(t *testing.T) {
	files, err := deploy.Files.ReadDir("crds")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		group, _, _ := strings.Cut(file.Name(), "_")
		if !slices.Contains(groups, group) {
			t.Errorf("%s: group %s is not in groups", file.Name(), group)
		}
	}
}

// TestWhatIsNamedIsCompleted: wherever a command takes the name of an object, or of a member, a shell can offer those there are.
func TestWhatIsNamedIsCompleted(t *testing.T) {
	each(newCommand("argosyctl", genericiooptions.NewTestIOStreamsDiscard()), func(c *cobra.Command) {
		words := strings.FieldsFunc(strings.TrimPrefix(c.Use, c.Name()), func(r rune) bool { return strings.ContainsRune(" []/|()", r) })
		named := slices.ContainsFunc(words, func(word string) bool {
			return slices.Contains([]string{"NAME", "CLONESET", "SERVER", "WHITELIST"}, word)
		})
		if named != (c.ValidArgsFunction != nil) {
			t.Errorf("%s %s: completes what is named: %t", c.CommandPath(), words, c.ValidArgsFunction != nil)
		}
		for _, flag := range []string{"member", "from", "in", "plan", "clusters"} {
			if _, completes := c.GetFlagCompletionFunc(flag); c.Flags().Lookup(flag) != nil && !completes && c.Name() != "preview" {
				t.Errorf("%s --%s is not completed", c.CommandPath(), flag)
			}
		}
	})
}
