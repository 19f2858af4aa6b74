package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const clone = "../.."

// TestLinksLeadSomewhere follows every link between pages of this repository, to the heading it names. A runbook that leads nowhere is
// found at three in the morning.
func TestLinksLeadSomewhere(t *testing.T) {
	pages := pagesOf(t)
	if len(pages) < 50 {
		t.Fatalf("only %d pages were found", len(pages))
	}
	span := regexp.MustCompile("`[^`\n]*`")
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for page, text := range pages {
		for _, match := range link.FindAllStringSubmatch(span.ReplaceAllString(withoutCode(text), ""), -1) {
			if problem := follow(pages, page, match[1]); problem != "" {
				t.Errorf("%s: %s %s", page, match[1], problem)
			}
		}
	}
}

func TestLinksThatLeadNowhereAreSeen(t *testing.T) {
	pages := map[string]string{"docs/a.md": "# A title, with `code`\n", "b.md": ""}
	for target, want := range map[string]string{
		"docs/a.md": "", "docs/a.md#a-title-with-code": "", "docs/a.md#another": "leads to a heading that does not exist",
		"docs/c.md":             "leads to a file that does not exist",
		"https://example.org/x": "",
	} {
		if got := follow(pages, "b.md", target); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

// pagesOf is every page that is committed, by its path from the clone's root.
func pagesOf(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(clone, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != clone && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "bin" ||
			name == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() || filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(clone, path)
		out[relative] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// follow says what is wrong with a link, or nothing.
func follow(pages map[string]string, page, target string) string {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return ""
	}
	path, anchor, _ := strings.Cut(target, "#")
	file := page
	if path != "" {
		file = filepath.Join(filepath.Dir(page), path)
	}
	text, ok := pages[file]
	if !ok {
		if _, err := os.Stat(filepath.Join(clone, file)); err != nil {
			return "leads to a file that does not exist"
		}
		return ""
	}
	if anchor != "" && !headings(text)[anchor] {
		return "leads to a heading that does not exist"
	}
	return ""
}

// headings of a page, as the anchors that GitHub makes of them.
func headings(text string) map[string]bool {
	out := map[string]bool{}
	dropped := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.Lines(withoutCode(text)) {
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			anchor := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-")
			out[anchor] = true
		}
	}
	return out
}

// withoutCode leaves out fenced blocks: brackets there are no links, and a number sign no heading.
func withoutCode(text string) string {
	var out strings.Builder
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if !fenced {
			out.WriteString(line)
		}
	}
	return out.String()
}
