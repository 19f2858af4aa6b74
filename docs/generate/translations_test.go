package main

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTranslatedTutorialsShowTheSame: a page in another language has the commands, files and outputs of the English one, which a test
// types.
func TestTranslatedTutorialsShowTheSame(t *testing.T) {
	pages := pagesOf(t)
	block := regexp.MustCompile("(?s)```.*?\n```\n")
	translated := 0
	for page, text := range pages {
		if !strings.HasPrefix(page, "docs/tutorials/") {
			continue
		}
		chinese := pages["docs/zh-CN/"+path.Base(page)]
		if chinese == "" {
			t.Errorf("%s has no page in docs/zh-CN", page)
			continue
		}
		translated++
		if diff := cmp.Diff(block.FindAllString(text, -1), block.FindAllString(chinese, -1)); diff != "" {
			t.Errorf("%s: its blocks are not those of %s (-english +chinese):\n%s", "docs/zh-CN/"+path.Base(page), page, diff)
		}
	}
	if translated < 4 {
		t.Errorf("only %d tutorials were found", translated)
	}
}
