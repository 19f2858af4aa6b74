package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Part is what is kept of one run of a covering design.
type Part struct {
	// Number in the design, from 1 on, and of how many.
	Number, Of int
	// Commit that was run; it ends with -dirty where files differed from it.
	Commit string
	Seed   uint64
	Only   []string
	// Load is how long users and nemeses acted, Took all of it, in seconds; Spared the seconds with CPU to spare.
	Load, Took float64
	Spared     int
	Happened   map[string]int
	Operations map[string]int
	// Judged by checker, and Violated.
	Judged, Violated map[string]int
	// Violations in words, and Idle what was to happen and did not.
	Violations, Idle []string
}

// PartOf keeps what a table needs of a report.
func PartOf(r Report, demanded []string) Part {
	p := Part{
		Seed: r.Seed, Only: r.Only, Load: r.Length.Seconds(), Took: r.Took.Round(time.Second).Seconds(), Spared: r.Spared,
		Happened: r.Happened, Operations: r.Operations, Judged: map[string]int{}, Violated: map[string]int{}, Idle: r.Idle(demanded),
	}
	for _, v := range r.Verdicts {
		p.Judged[short(v)] = v.Judged
		p.Violated[short(v)] = len(v.Violations)
		for _, one := range v.Violations {
			p.Violations = append(p.Violations, fmt.Sprintf("%s: %s: %s", v.Name, one.Key, one.What))
		}
	}
	return p
}

// Clean tells whether nothing was found, and whether all of it happened: what is not clean is played again.
func (p Part) Clean() bool { return len(p.Violations) == 0 && len(p.Idle) == 0 }

func partFile(folder string, number int) string {
	return filepath.Join(folder, fmt.Sprintf("%02d.json", number))
}

// Keep writes a part into a folder.
func (p Part) Keep(folder string) error {
	content, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("keeping run %d of the design: %w", p.Number, err)
	}
	return os.WriteFile(partFile(folder, p.Number), content, 0o644)
}

// Kept reads a part of the design; ok is false if it was not played yet.
func Kept(folder string, number int) (p Part, ok bool, err error) {
	content, err := os.ReadFile(partFile(folder, number))
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &p)
	}
	if err != nil {
		return p, false, fmt.Errorf("reading run %d of the design: %w", number, err)
	}
	return p, true, nil
}

// Table of nemeses and checkers, in Markdown: in each cell how often the checker looked at something that could have been wrong in the runs
// in which that nemesis happened, and how often it was.
func Table(out io.Writer, nemeses []string, parts []Part) {
	var checkers []string
	commits := map[string]int{}
	load, took, operations := 0.0, 0.0, 0
	for _, p := range parts {
		for name := range p.Judged {
			if !slices.Contains(checkers, name) {
				checkers = append(checkers, name)
			}
		}
		commits[p.Commit]++
		load, took, operations = load+p.Load, took+p.Took, operations+total(p.Operations)
	}
	slices.SortFunc(checkers, byNumber)
	fmt.Fprintf(out, "| nemesis | runs | happened | s of load | %s |\n|---|%s\n", strings.Join(checkers, " | "),
		strings.Repeat("---|", len(checkers)+3))
	for _, name := range nemeses {
		runs, happened, seconds := 0, 0, 0.0
		judged, violated := map[string]int{}, map[string]int{}
		for _, p := range parts {
			if p.Happened[name] == 0 {
				continue
			}
			runs, happened, seconds = runs+1, happened+p.Happened[name], seconds+p.Load
			for _, c := range checkers {
				judged[c] += p.Judged[c]
				violated[c] += p.Violated[c]
			}
		}
		row := []string{name, fmt.Sprint(runs), fmt.Sprint(happened), fmt.Sprintf("%.0f", seconds)}
		for _, c := range checkers {
			row = append(row, fmt.Sprintf("%d: %d", judged[c], violated[c]))
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
	met, pairs := pairsMet(nemeses, parts)
	fmt.Fprintf(out, "\n%d of %d pairs of nemeses met in %d runs: %.0f s of load, %.0f s in all, %d operations of users.\n",
		met, pairs, len(parts), load, took, operations)
	for _, commit := range slices.Sorted(maps.Keys(commits)) {
		fmt.Fprintf(out, "%d runs of %s\n", commits[commit], commit)
	}
	for _, p := range parts {
		for _, what := range append(slices.Clone(p.Idle), p.Violations...) {
			fmt.Fprintf(out, "run %d (seed %d): %s\n", p.Number, p.Seed, what)
		}
	}
}

// byNumber orders C2 before C10.
func byNumber(a, b string) int {
	if d := len(a) - len(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func total(of map[string]int) int {
	sum := 0
	for _, n := range of {
		sum += n
	}
	return sum
}

// pairsMet is how many pairs happened in one run, of how many.
func pairsMet(nemeses []string, parts []Part) (met, pairs int) {
	for i, one := range nemeses {
		for _, other := range nemeses[:i] {
			pairs++
			if slices.ContainsFunc(parts, func(p Part) bool { return p.Happened[one] > 0 && p.Happened[other] > 0 }) {
				met++
			}
		}
	}
	return met, pairs
}
