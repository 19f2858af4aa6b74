package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	// Elapsed is in seconds.
	Elapsed float64
}

// report collects what go test says.
type report struct {
	out io.Writer
	// said is the output of each test that has not ended yet, and that of its package under no name.
	said map[event]*strings.Builder
	took []event
}

func newReport(out io.Writer) *report { return &report{out: out, said: map[event]*strings.Builder{}} }

// read shows events until there are no more. What is none, such as the words of a program that wrote to standard output, is shown as it is.
func (r *report) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		var e event
		switch {
		case line == "":
		case json.Unmarshal([]byte(line), &e) != nil:
			fmt.Fprint(r.out, line)
		default:
			r.see(e)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading go test's output: %w", err)
		}
	}
}

// see keeps what a test says until it is known whether anybody needs it.
func (r *report) see(e event) {
	owner := event{Package: e.Package, Test: e.Test}
	switch e.Action {
	case "output":
		if r.said[owner] == nil {
			r.said[owner] = &strings.Builder{}
		}
		r.said[owner].WriteString(e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "pass", "fail", "skip":
		r.end(owner, e)
	}
}

func (r *report) end(owner, e event) {
	text := ""
	if said := r.said[owner]; said != nil {
		text = said.String()
	}
	delete(r.said, owner)
	switch {
	case e.Test == "":
		r.unfinished(e)
		if e.Action != "fail" {
			text = verdict(text)
		}
		fmt.Fprint(r.out, text)
	case e.Action == "fail":
		fmt.Fprint(r.out, text)
	}
	if e.Test != "" && e.Action != "skip" {
		r.took = append(r.took, e)
	}
}

// unfinished tests of a package that ended in a panic or for lack of time say what they said.
func (r *report) unfinished(e event) {
	for owner, said := range r.said {
		if owner.Package == e.Package && owner.Test != "" {
			if e.Action == "fail" {
				fmt.Fprint(r.out, said.String())
			}
			delete(r.said, owner)
		}
	}
}

// verdict is what go test shows of a package that passed: its last line.
func verdict(text string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	return lines[len(lines)-1] + "\n"
}

// slowest tells the tests that took longest. What waits for parallel tests of its own is counted with them, as go test does.
func (r *report) slowest(count int) {
	slices.SortStableFunc(r.took, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	shown := r.took[:min(count, len(r.took))]
	if len(shown) == 0 || shown[0].Elapsed < 1 {
		return
	}
	fmt.Fprintf(r.out, "slowest %d of %d tests:\n", len(shown), len(r.took))
	for _, e := range shown {
		_, folder, _ := strings.Cut(e.Package, "/argosy/")
		fmt.Fprintf(r.out, "%8.1f s  %s  %s\n", e.Elapsed, folder, e.Test)
	}
}
