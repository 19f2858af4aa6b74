package oracle

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/argosy-dev/argosy/estimator/fit"
)

// TestTheDocsNameTheReasons: in the order in which they are asked.
func TestTheDocsNameTheReasons(t *testing.T) {
	page, err := os.ReadFile("../../docs/concepts/estimator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "**How it is counted.**")
	table, _, _ = strings.Cut(table, "\n**")
	table, _, _ = strings.Cut(table, "\n## ")
	var documented []string
	for line := range strings.Lines(table) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			documented = append(documented, name)
		}
	}
	var asked []string
	for _, reason := range reasons {
		if reason.name != "pod" {
			asked = append(asked, reason.name)
			continue
		}
		for _, own := range fit.Reasons {
			asked = append(asked, own.Why)
		}
	}
	if !slices.Equal(documented, asked) {
		t.Errorf("the docs name\n%q\nasked is\n%q", documented, asked)
	}
}
