package migration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const runbook = "../docs/concepts/migration-runbook.md"

// rows of a section of the runbook: the words of each first column, with what to do.
func rows(t *testing.T, section string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(runbook)
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(content), "\n## "+section+"\n")
	if !found {
		t.Fatalf("the runbook has no section %q", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		cells := strings.SplitN(strings.Trim(line, "| "), " | ", 2)
		if len(cells) != 2 {
			continue
		}
		for word := range strings.SplitSeq(cells[0], ",") {
			out[strings.Trim(strings.TrimSpace(word), "`")] = cells[1]
		}
	}
	return out
}

// Every reason that a person may have to do something about has a row that says what, and no row is of a reason there is none of.
func TestEveryReasonHasItsRow(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../api/migration/v1alpha1/conditions.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	reasons, good := map[string]bool{}, map[string]bool{}
	for _, declaration := range file.Decls {
		general, is := declaration.(*ast.GenDecl)
		if !is {
			continue
		}
		group := ""
		for _, spec := range general.Specs {
			value, is := spec.(*ast.ValueSpec)
			if !is || !strings.HasPrefix(value.Names[0].Name, "Reason") {
				continue
			}
			if value.Doc != nil {
				group = value.Doc.Text()
			}
			word, err := strconv.Unquote(value.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			reasons[word] = true
			good[word] = strings.HasPrefix(group, "Good news")
		}
	}
	if len(reasons) < 40 {
		t.Fatalf("%d reasons were found in the API: the test no longer reads it", len(reasons))
	}
	have := rows(t, "Reasons")
	for reason := range reasons {
		if have[reason] == "" && !good[reason] {
			t.Errorf("the runbook has no row for reason %s", reason)
		}
	}
	for word := range have {
		if !reasons[word] && word != "reason" && !strings.HasPrefix(word, "--") {
			t.Errorf("the runbook has a row for %q, which is no reason", word)
		}
	}
}

// Everything of ours that refuses a write has a row that says why it does and what to do instead.
func TestEveryRefusalHasItsRow(t *testing.T) {
	have := rows(t, "What is refused")
	names := map[string]*regexp.Regexp{
		"../deploy/webhook/migration.yaml":        regexp.MustCompile(`(?m)^- name: (\S+\.argosy\.dev)$`),
		"../deploy/webhook/migration-guards.yaml": regexp.MustCompile(`(?m)^kind: ValidatingAdmissionPolicy\nmetadata:\n  name: (\S+)$`),
	}
	found := map[string]bool{}
	for path, name := range names {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range name.FindAllStringSubmatch(string(content), -1) {
			found[match[1]] = true
		}
	}
	if len(found) < 14 {
		t.Fatalf("%d admissions were found: the test no longer reads them", len(found))
	}
	for name := range found {
		if have[name] == "" {
			t.Errorf("the runbook has no row for %s", name)
		}
	}
	for name := range have {
		if !found[name] && name != "refused by" && !strings.HasPrefix(name, "--") {
			t.Errorf("the runbook has a row for %q, which refuses nothing", name)
		}
	}
}
