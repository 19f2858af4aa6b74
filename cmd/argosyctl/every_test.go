package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"
)

const (
	longApp = "customer-facing-storefront-renderer"
	longSet = "payments-of-the-storefront-database"
)

// everyCommand is how each is typed so that it prints a result.
var everyCommand = []string{
	"check", "check --pre", "doctor", "version", "version --client",
	"status deploy/" + longApp, "trace deploy/" + longApp,
	"fit -f WEB --cluster member1",
	"is-karmada deployment/" + longApp,
	"policy -f FOLDER --clusters member1", "policy -f FOLDER --offline --clusters member1 --templates",
	"publish -f FOLDER --dry-run --clusters production-europe-west-frankfurt-a1",
	"interpret -f testdata/cloneset.yaml --operation InterpretReplica",
	"component list", "component preview -f ../../deploy/samples/component.yaml", "component explain " + longApp,
	"component adopt deployment/" + longApp + " --language go", "component approve " + longApp,
	"cron list", "cron preview " + longApp,
	"fedhpa list", "fedhpa explain " + longApp, "fedhpa explain " + longApp + " --max 40",
	"migration list", "migration get deployment/" + longApp, "migration status", "migration status deployment/" + longApp,
	"migration plan deployment/" + longApp, "migration generate --from production-europe-west-frankfurt-a1 --name all",
	"migration approve deployment/" + longApp + " --plan 0a1b2c3d4e5f",
	"migration reject deployment/" + longApp + " --plan 0a1b2c3d4e5f --reason no",
	"migration rollback deployment/" + longApp + " --reason no", "migration readopt deployment/" + longApp, "migration leave deployment/old",
	"migration pause shop", "migration resume shop",
	"release list", "release status " + longApp, "release history " + longApp, "release diff " + longApp, "release approve " + longApp,
	"release pause " + longApp,
	"release resume " + longApp, "release promote " + longApp, "release undo " + longApp, "release retry " + longApp,
	"release report " + longApp + " --check=Smoke --result=Passed",
	"scalein cart --pod member1/cart-x7k2p --wait=false", "scalein adopt cart --dry-run",
	"vm list", "vm plan -f ../../deploy/samples/vmreplicaset.yaml", "vm explain vmrs/" + longSet, "vm explain server/" + longSet + "-0",
	"vm deletions",
	"vm orphans", "vm approve vmrs/" + longSet, "vm override " + longSet + "-0 --state Offline --reason disks",
	"install member-manager --image registry.example/argosy-member-manager:v1 -o yaml",
}

// printsNoResult are commands that say in words what they do, as they do it, and why no program needs more.
var printsNoResult = map[string]string{
	"options":                  "is a page of help",
	"install":                  "says each object that it writes; what is installed, check -o json tells",
	"uninstall":                "says each object that it deletes",
	"uninstall member-manager": "says each object that it deletes",
	"migration watch":          "never ends; it is list with -w, by kubectl's own code",
}

// TestEveryCommand runs each command against a federation of long names: whatever it prints fits a terminal of 120 columns, and with -o it
// prints JSON and YAML that parse, nothing beside. A command that is not in the list is no command.
func TestEveryCommand(t *testing.T) {
	startFederation(t)
	folder := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(filepath.Join(folder, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	web := write("app/web.yaml", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 1,
  selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}}}
`, 0o644)
	// fit asks another program, which answers so.
	var nodes []string
	for _, n := range []string{"101", "102", "103", "104"} {
		nodes = append(nodes, `{"node": "ip-10-20-30-`+n+`.eu-central-1.compute.internal", "takes": 2, "limitedBy": "NodeResourcesFit"}`)
	}
	write("argosy-estimator", `#!/bin/sh
echo '[{"namespace": "shop", "kind": "Deployment", "name": "web",
"members": [{"cluster": "production-europe-west-frankfurt-a1", "exact": true, "fits": 8,
"limitedBy": {"NodeResourcesFit": 40, "NodeAffinity": 12, "PodTopologySpread": 3}, "reason": "three nodes more would take it all",
"nodes": [`+strings.Join(nodes, ",")+`]}]}]'
`, 0o755)
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	run := map[string]bool{}
	for _, typed := range everyCommand {
		words := strings.Fields(strings.NewReplacer("FOLDER", filepath.Join(folder, "app"), "WEB", web).Replace(typed))
		command, _, err := newCommand("argosyctl", genericiooptions.NewTestIOStreamsDiscard()).Find(words)
		if err != nil {
			t.Fatal(err)
		}
		run[strings.TrimPrefix(command.CommandPath(), "argosyctl ")] = true
		t.Run(typed, func(t *testing.T) {
			text := command.Name() != "interpret" && command.CommandPath() != "argosyctl install member-manager"
			if out := runEvery(t, words); text {
				for line := range strings.Lines(out) {
					if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 120 && !isManifest(command) {
						t.Errorf("a line of %d columns: %s", n, line)
					}
				}
			}
			if out := runEvery(t, append(slices.Clone(words), "-o", "json")); !json.Valid([]byte(out)) {
				t.Errorf("-o json prints\n%s", out)
			}
			documents := 0
			for document := range strings.SplitSeq(runEvery(t, append(slices.Clone(words), "-o", "yaml")), "---\n") {
				var into any
				if err := yaml.Unmarshal([]byte(document), &into); err != nil {
					t.Errorf("-o yaml: %v\n%s", err, document)
				}
				if into != nil {
					documents++
				}
			}
			if documents == 0 {
				t.Error("-o yaml prints nothing")
			}
		})
	}
	each(newCommand("argosyctl", genericiooptions.NewTestIOStreamsDiscard()), func(c *cobra.Command) {
		name := strings.TrimPrefix(c.CommandPath(), "argosyctl ")
		group := !c.HasParent() || c.HasSubCommands() && c.Name() != "scalein" && c.Name() != "install" && c.Name() != "uninstall"
		if !group && !run[name] && printsNoResult[name] == "" {
			t.Errorf("%s is not run here, and nothing says why", name)
		}
	})
}

// TestObjectsHaveTheirKind: what is read by its type is printed with its kind, and more than the one that was named as a List.
func TestObjectsHaveTheirKind(t *testing.T) {
	startFederation(t)
	const migration = "migration.argosy.dev/v1alpha1/Migration"
	for typed, want := range map[string]string{
		"migration status -o jsonpath={.apiVersion}/{.kind}":                            "v1/List",
		"migration status -o jsonpath={.items[0].apiVersion}/{.items[0].kind}":          migration,
		"migration status -o jsonpath={.items[*].metadata.managedFields}":               "",
		"migration status deployment/" + longApp + " -o jsonpath={.apiVersion}/{.kind}": migration,
		"release status " + longApp + " -o name":                                        "release.release.argosy.dev/" + longApp + "\n",
	} {
		t.Run(typed, func(t *testing.T) {
			var out bytes.Buffer
			root := newCommand("argosyctl", genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: io.Discard})
			root.SetArgs(strings.Fields(typed))
			if err := root.ExecuteContext(t.Context()); err != nil || out.String() != want {
				t.Errorf("%q, %v, want %q", out.String(), err, want)
			}
		})
	}
}

// isManifest is true of commands whose text is YAML to be applied, whose lines are as long as they are.
func isManifest(command *cobra.Command) bool {
	output := command.Flags().Lookup("output")
	return output != nil && output.DefValue == "yaml" || command.Name() == "is-karmada"
}

// runEvery gives what a command prints on a terminal of 120 columns. It may find something wrong, but it must print.
func runEvery(t *testing.T, words []string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	terminal := &screen{out: &out, columns: 120}
	root := newCommand("argosyctl", genericiooptions.IOStreams{In: strings.NewReader(""), Out: terminal, ErrOut: &errOut})
	root.SetArgs(words)
	err := root.ExecuteContext(t.Context())
	terminal.end()
	if err != nil && !errors.Is(err, errReported) || out.Len() == 0 {
		t.Fatalf("%s: %v; printed %q, and said %s", strings.Join(words, " "), err, &out, &errOut)
	}
	return out.String()
}
