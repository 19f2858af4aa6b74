package main

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

var update = flag.Bool("update", false, "write docs/reference/argosyctl.md")

const reference = "../../docs/reference/argosyctl.md"

// TestReference keeps docs/reference/argosyctl.md what the commands say of themselves: make generate runs it with -update.
func TestReference(t *testing.T) {
	root := newCommand("argosyctl", genericiooptions.NewTestIOStreamsDiscard())
	root.DisableAutoGenTag = true
	var page bytes.Buffer
	page.WriteString(
		"<!-- Written by make generate from the code. -->\n\n# argosyctl\n\nEvery command also takes the [options of argosyctl " +
			"itself](#options).\n\n")
	if err := document(root, &page); err != nil {
		t.Fatal(err)
	}
	// Defaults that depend on who runs it.
	if home, err := os.UserHomeDir(); err == nil {
		page = *bytes.NewBufferString(strings.ReplaceAll(page.String(), home, "~"))
	}
	if *update {
		if err := os.WriteFile(reference, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), page.String()); diff != "" {
		t.Errorf("the page is old: run make generate (-page +code):\n%s", diff)
	}
}

// inherited options stand once, with the command they come from.
var inherited = regexp.MustCompile("(?s)### Options inherited from parent commands\n\n```.*?```\n\n")

// document writes a command and those below it, but not what cobra adds by itself.
func document(c *cobra.Command, page *bytes.Buffer) error {
	if c.Name() == "completion" || c.Name() == "help" || c.Hidden {
		return nil
	}
	c.DisableAutoGenTag = true
	// One page: a link to a command is one to its heading.
	link := func(name string) string {
		return "#" + strings.ReplaceAll(strings.TrimSuffix(name, ".md"), "_", "-")
	}
	var section bytes.Buffer
	if err := doc.GenMarkdownCustom(c, &section, link); err != nil {
		return err
	}
	page.WriteString(inherited.ReplaceAllString(section.String(), ""))
	for _, child := range c.Commands() {
		if err := document(child, page); err != nil {
			return err
		}
	}
	return nil
}
