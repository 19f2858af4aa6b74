package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

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
