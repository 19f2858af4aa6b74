package main

import (
	"bytes"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"k8s.io/kubectl/pkg/util/term"
)

// screen is standard output. On a terminal a line that is longer than it is wide is folded between words, the last column of a table below
// itself; names are never cut, so that they can be copied. Where it is none, lines stay whole: programs look for words in them.
type screen struct {
	out io.Writer
	// columns of the terminal; 0 where it is none.
	columns int
	// line that has not ended yet.
	line []byte
	// aside is where words go while standard output belongs to an object that is printed for a program; nil: nowhere else.
	aside io.Writer
}

// lastColumn stands before the last cell of a table's row, of which it takes no part: it never reaches the person.
const lastColumn = '\x1e'

// narrowest is how wide a folded column is at least; where less is left beside the others, it stands below them.
const narrowest = 16

// newScreen of a terminal, or of a file or pipe; of a screen, itself.
func newScreen(out io.Writer) *screen {
	if is, ok := out.(*screen); ok {
		return is
	}
	s := &screen{out: out}
	if size := (term.TTY{Out: out}).GetSize(); size != nil {
		s.columns = int(size.Width)
	}
	return s
}

// whole is an output whose lines nobody folds, for what programs read.
func whole(out io.Writer) io.Writer {
	if s, ok := out.(*screen); ok {
		s.end()
		return s.out
	}
	return out
}

func (s *screen) Write(text []byte) (int, error) {
	out := s.out
	if s.aside != nil {
		out = s.aside
	}
	s.line = append(s.line, text...)
	for {
		at := bytes.IndexByte(s.line, '\n')
		if at < 0 {
			return len(text), nil
		}
		line := string(s.line[:at])
		s.line = append(s.line[:0], s.line[at+1:]...)
		if _, err := io.WriteString(out, fold(line, s.columns)+"\n"); err != nil {
			return 0, err
		}
	}
}

// end writes a last line that has no end.
func (s *screen) end() {
	if len(s.line) > 0 {
		_, _ = io.WriteString(s.out, fold(string(s.line), s.columns)) // a terminal that is gone hears nothing more
		s.line = s.line[:0]
	}
}

// lowest is where a column begins that stands below the others.
const lowest = 8

// widest word of a text.
func widest(text string) int {
	out := 0
	for word := range strings.FieldsSeq(text) {
		out = max(out, utf8.RuneCountInString(word))
	}
	return out
}

// fold a line between words; 0 columns: never.
func fold(line string, columns int) string {
	head, tail, row := strings.Cut(line, string(lastColumn))
	if !row {
		tail = strings.TrimLeft(line, " ")
		head = line[:len(line)-len(tail)]
	}
	indent := utf8.RuneCountInString(head)
	if columns == 0 || indent+utf8.RuneCountInString(tail) <= columns {
		return head + tail
	}
	var lines []string
	now, begun := head, false
	switch {
	case !row:
		indent += 2
	case columns-indent < max(narrowest, min(widest(tail), columns-lowest)):
		indent = lowest
		lines, now = append(lines, strings.TrimRight(head, " ")), strings.Repeat(" ", indent)
	}
	for _, word := range strings.Fields(tail) {
		if begun && utf8.RuneCountInString(now)+1+utf8.RuneCountInString(word) > columns {
			lines = append(lines, now)
			now, begun = strings.Repeat(" ", indent), false
		}
		if begun {
			now += " "
		}
		now, begun = now+word, true
	}
	return strings.Join(append(lines, now), "\n")
}

// table aligns columns as kubectl's do, and tells a screen where the last one begins.
type table struct {
	*tabwriter.Writer
	marks bool
	row   []byte
}

// newTable of columns so many blanks apart.
func newTable(out io.Writer, apart int) *table {
	s, marks := out.(*screen)
	return &table{Writer: tabwriter.NewWriter(out, 0, 4, apart, ' ', 0), marks: marks && s.columns > 0}
}

func (t *table) Write(text []byte) (int, error) {
	if !t.marks {
		return t.Writer.Write(text)
	}
	t.row = append(t.row, text...)
	for {
		end := bytes.IndexByte(t.row, '\n')
		if end < 0 {
			return len(text), nil
		}
		row := string(t.row[:end+1])
		t.row = append(t.row[:0], t.row[end+1:]...)
		if at := strings.LastIndexByte(row, '\t'); at >= 0 {
			row = row[:at+1] + string(lastColumn) + row[at+1:]
		}
		if _, err := io.WriteString(t.Writer, row); err != nil {
			return 0, err
		}
	}
}
