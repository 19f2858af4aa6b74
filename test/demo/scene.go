package demo

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/test/lab"
)

// Scene is one chapter of the story.
type Scene struct {
	// Name is short and in lower case: a test's name and `argosy-lab demo --scene`.
	Name  string
	Title string
	// Why says in a sentence or two what the user of a federation gains.
	Why string
	// Alone is true of a scene that other scenes and stories at the same time would disturb, or that would disturb them.
	Alone bool
	// Play acts. An error is for what makes going on senseless; what was seen wrong is Expect's.
	Play func(context.Context, *Stage) error
}

// Row is one line of the final table.
type Row struct {
	Scene    string
	What     string
	Expected string
	Seen     string
	OK       bool
	Took     time.Duration
	// Timed: what was judged is how long it took.
	Timed bool
}

// Report is the outcome of a performance.
type Report struct {
	Rows []Row
	Took time.Duration
}

// Failed lists the rows that are not as expected.
func (r Report) Failed() []Row {
	return slices.DeleteFunc(slices.Clone(r.Rows), func(row Row) bool { return row.OK })
}

// Wrong lists the failed rows but those that were only late: how fast this machine is at the moment is no question to a test.
func (r Report) Wrong() []Row {
	return slices.DeleteFunc(r.Failed(), func(row Row) bool { return row.Timed })
}

// Options of Play.
type Options struct {
	Lab    *lab.Lab
	Scenes []Scene
	Out    io.Writer
	// Color paints verdicts green and red.
	Color bool
	Clock clock.PassiveClock
}

// Play performs the scenes in order, one after the other, and goes on after a failed one.
func Play(ctx context.Context, o Options) (Report, error) {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	start := o.Clock.Now()
	paint := painter(o.Color)
	var report Report
	for i, scene := range o.Scenes {
		fmt.Fprintf(o.Out, "\n%s\n%s\n", paint(bold, fmt.Sprintf("Scene %d of %d: %s", i+1, len(o.Scenes), scene.Title)), indent("  ", scene.Why))
		stage, err := newStage(o, scene, paint)
		if err != nil {
			return report, err
		}
		if err := scene.Play(ctx, stage); err != nil {
			if ctx.Err() != nil {
				return report, context.Cause(ctx)
			}
			stage.record(Row{What: "the scene plays to its end", Expected: "yes", Seen: err.Error()})
		}
		report.Rows = append(report.Rows, stage.rows...)
	}
	report.Took = o.Clock.Since(start)
	return report, nil
}

// column is how wide the table's columns of words become before they are wrapped: the table fits 100 characters.
const column = 40

// Table prints what was seen, and what was expected wherever it was put in other words.
func (r Report) Table(out io.Writer, color bool) {
	paint := painter(color)
	table := tablewriter.NewWriter(out)
	table.SetHeader([]string{"", "scene", "what", "seen"})
	table.SetColWidth(column)
	table.SetAlignment(tablewriter.ALIGN_LEFT)
	table.SetHeaderAlignment(tablewriter.ALIGN_LEFT)
	table.SetBorder(false)
	table.SetHeaderLine(false)
	table.SetColumnSeparator("")
	table.SetTablePadding("  ")
	table.SetNoWhiteSpace(true)
	for _, row := range r.Rows {
		seen := oneLine(row.Seen)
		if seen != row.Expected {
			seen += " (expected: " + row.Expected + ")"
		}
		table.Append([]string{verdict(paint, row.OK), row.Scene, row.What, seen})
	}
	fmt.Fprintln(out)
	table.Render()
	failed := len(r.Failed())
	if failed > 0 {
		fmt.Fprintf(out, "\n%s\n", paint(red, fmt.Sprintf("%d of %d are not as expected.", failed, len(r.Rows))))
		return
	}
	fmt.Fprintf(out, "\n%s\n", paint(green, fmt.Sprintf("All %d are as expected, in %.0f s.", len(r.Rows), r.Took.Seconds())))
}

// Select picks scenes by name; no name means all.
func Select(scenes []Scene, names []string) ([]Scene, error) {
	if len(names) == 0 {
		return scenes, nil
	}
	var out []Scene
	for _, name := range names {
		i := slices.IndexFunc(scenes, func(s Scene) bool { return s.Name == name })
		if i < 0 {
			var known []string
			for _, s := range scenes {
				known = append(known, s.Name)
			}
			return nil, fmt.Errorf("no scene is called %q: there are %s", name, strings.Join(known, ", "))
		}
		out = append(out, scenes[i])
	}
	return out, nil
}

const (
	bold  = "1"
	green = "32"
	red   = "31"
)

func painter(color bool) func(code, text string) string {
	return func(code, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
}

func verdict(paint func(code, text string) string, ok bool) string {
	if ok {
		return paint(green, "ok  ")
	}
	return paint(red, "FAIL")
}

func indent(prefix, text string) string {
	return prefix + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+prefix)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
