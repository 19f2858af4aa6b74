package bench

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var enabled = flag.Bool("bench", false, "measure, and print tables")

// Only runs the test when measuring was asked for.
func Only(t *testing.T) {
	t.Helper()
	if !*enabled {
		t.Skip("measures only with -args -bench")
	}
}

// Row is one line of a table.
type Row struct {
	// What is measured.
	What string
	// Ours and Peer as printed, with units.
	Ours, Peer string
	// Ratio is the peer's over ours where less is better, ours over the peer's where more is: above 1 is better.
	Ratio float64
}

// Table is what a benchmark prints.
type Table struct {
	Title string
	// Peer is what ours is compared with.
	Peer string
	Rows []Row
	// Notes say what a reader must know to trust the figures.
	Notes []string
}

// Print writes the table as Markdown, with the machine and the date.
func (t Table) Print(out io.Writer) {
	fmt.Fprintf(out, "\n### %s\n\n%s, %s\n\n", t.Title, machine(),
		time.Now().UTC().Format("2006-01-02")) //nolint:forbidigo // the date of the measurement is the real one
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintf(w, "| what\t| ours\t| %s\t| ratio\t|\n|---\t|---\t|---\t|---\t|\n", t.Peer)
	for _, row := range t.Rows {
		ratio := ""
		if row.Ratio != 0 {
			ratio = fmt.Sprintf("%.1f", row.Ratio)
		}
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t|\n", row.What, row.Ours, row.Peer, ratio)
	}
	w.Flush()
	for _, note := range t.Notes {
		fmt.Fprintf(out, "\n%s\n", note)
	}
}

// machine is what the figures were taken on.
func machine() string {
	model := runtime.GOARCH
	if file, err := os.Open("/proc/cpuinfo"); err == nil {
		defer file.Close()
		for scanner := bufio.NewScanner(file); scanner.Scan(); {
			if name, value, ok := strings.Cut(scanner.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	busy := "unknown"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		busy, _, _ = strings.Cut(string(text), " ")
	}
	return fmt.Sprintf("%d x %s, %s, %s, load average %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version(), busy)
}

// Latencies of calls.
type Latencies []time.Duration

// At is the latency that the part q (0 to 1) of the calls does not exceed.
func (l Latencies) At(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
