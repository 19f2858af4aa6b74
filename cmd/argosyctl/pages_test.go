package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// typedOn finds what a page tells its reader to type in a block of its own: after a prompt or without one, as the program or as the plugin.
var typedOn = regexp.MustCompile(`^\s*(?:\$ )?(?:\S*/)?(?:argosyctl|kubectl argosy) (.*)$`)

// TestPagesTypeWhatExists: every command of argosyctl that a page shows is there, with its flags.
func TestPagesTypeWhatExists(t *testing.T) {
	const root = "../.."
	pages := []string{filepath.Join(root, "README.md"), filepath.Join(root, "README.zh-CN.md")}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		// The reference is written from the commands, and decisions speak of what was.
		if strings.HasSuffix(path, ".md") && !strings.Contains(path, "reference") && !strings.Contains(path, "decisions") {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		fenced := false
		for number, line := range strings.Split(strings.ReplaceAll(string(text), "\\\n", " "), "\n") {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
			}
			typed := typedOn.FindStringSubmatch(line)
			if !fenced || typed == nil {
				continue
			}
			found++
			root := newCommand("argosyctl", genericiooptions.NewTestIOStreamsDiscard())
			command, rest, err := root.Find(wordsOf(typed[1]))
			if err == nil && command == root {
				t.Errorf("%s:%d: %s: there is no such command", page, number+1, line)
			} else if err == nil {
				err = command.ParseFlags(rest)
			}
			if err != nil {
				t.Errorf("%s:%d: %s: %v", page, number+1, line, err)
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d commands were found: the pages are read wrongly", found)
	}
}

// wordsOf is one command of a shell line as its program gets it, as far as pages go: quotes hold words together, and what the shell
// keeps for itself ends it.
func wordsOf(line string) []string {
	var words []string
	var word strings.Builder
	quote, begun := rune(0), false
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range line {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ':
			end()
		case slices.Contains([]rune("|>&;#)"), r) && (!begun || r != '#'):
			end()
			return words
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	end()
	return words
}
