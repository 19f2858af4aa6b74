package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestFold: a line is folded between words, the last column of a table below itself, and no word is cut.
func TestFold(t *testing.T) {
	const row = "member1  Held  " + string(lastColumn)
	for name, tc := range map[string]struct {
		line    string
		columns int
		want    string
	}{
		"it fits":              {"  a b", 5, "  a b"},
		"no terminal":          {row + strings.Repeat("word ", 40), 0, "member1  Held  " + strings.Repeat("word ", 40)},
		"words":                {"  one two three", 11, "  one two\n    three"},
		"a word that is wider": {"see https://example.com/a/long/way now", 12, "see\n  https://example.com/a/long/way\n  now"},
		"a last column": {row + "waits for two people and the soak", 46,
			"member1  Held  waits for two people and the\n               soak"},
		"no room beside": {row + "waits for people", 30, "member1  Held\n        waits for people"},
		"a word that is wider than its column": {"*  5d4c3b2a1  2026-11-28 08:00:00  " + string(lastColumn) + strings.Repeat("x", 70), 90,
			"*  5d4c3b2a1  2026-11-28 08:00:00\n        " + strings.Repeat("x", 70)},
		"letters of other tongues": {row + "等待 两个人 批准 以及 观察 时间 结束 之后 再说 一遍 两遍", 46,
			"member1  Held  等待 两个人 批准 以及 观察 时间 结束 之后 再说 一遍\n               两遍"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fold(tc.line, tc.columns); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// TestScreen: lines that come in pieces are lines, tables keep their columns, and what programs read is not folded.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, columns: 40}
	fmt.Fprint(s, "one line that comes")
	fmt.Fprint(s, " in pieces and is too long\n")
	w := newTable(s, 2)
	fmt.Fprint(w, "NAME\tWHY\nmember1\tall that can be said of it, and more\n")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := structured(s, "json", "a text that is longer than any terminal is wide"); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(s, "no end")
	s.end()
	want := `one line that comes in pieces and is too
  long
NAME     WHY
member1  all that can be said of it, and
         more
"a text that is longer than any terminal is wide"
no end`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	if newScreen(s) != s || whole(io.Discard) != io.Discard {
		t.Error("a screen of a screen, or of no screen, is another")
	}
}
