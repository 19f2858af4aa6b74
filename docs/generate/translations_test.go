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

// TestTheChineseREADMEIsTheSame: it leads to every page that the English one leads to, or to its translation, and has the same commands;
// what is remarked beside them is in its own language.
func TestTheChineseREADMEIsTheSame(t *testing.T) {
	pages := pagesOf(t)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	targets := func(page string) map[string]bool {
		out := map[string]bool{}
		for _, match := range link.FindAllStringSubmatch(withoutCode(pages[page]), -1) {
			out[match[1]] = true
		}
		return out
	}
	english, chinese := targets("README.md"), targets("README.zh-CN.md")
	for target := range english {
		if target != "README.zh-CN.md" && !chinese[target] && !chinese["docs/zh-CN/"+path.Base(target)] {
			t.Errorf("README.zh-CN.md does not lead to %s", target)
		}
	}
	if len(english) < 30 {
		t.Errorf("only %d links were found", len(english))
	}
	block, remark := regexp.MustCompile("(?s)```.*?\n```\n"), regexp.MustCompile(` +#.*`)
	commands := func(page string) (out []string) {
		for _, text := range block.FindAllString(pages[page], -1) {
			out = append(out, remark.ReplaceAllString(text, ""))
		}
		return out
	}
	if diff := cmp.Diff(commands("README.md"), commands("README.zh-CN.md")); diff != "" {
		t.Errorf("the commands of README.zh-CN.md are others (-english +chinese):\n%s", diff)
	}
}
