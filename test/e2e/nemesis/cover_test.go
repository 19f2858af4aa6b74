package nemesis

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/nemesis"
	nemeses "github.com/argosy-dev/argosy/test/nemesis/nemesis"
	"github.com/argosy-dev/argosy/test/nemesis/report"
)

var (
	cover = flag.String("design", "", "a folder below the clone: the covering design is played, and what its runs found is kept there")
	parts = flag.Int("runs", 1, "of the design to play now, at most")
)

// together is how many nemeses act in one run of the design.
const together = 5

// TestCover plays runs of the covering design that were not played yet, or were not clean, and prints the table of all that were.
func TestCover(t *testing.T) {
	if *cover == "" {
		t.Skip("no folder is named: run make nemesis-cover")
	}
	root, err := binaries.FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, *cover)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	commit, err := exec.CommandContext(t.Context(), "git", "-C", root, "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		t.Fatalf("asking git for the commit: %v", err)
	}
	sets, left := nemeses.Cover(nemeses.All(), together), *parts
	var played []report.Part
	for i, set := range sets {
		part, ok, err := report.Kept(folder, i+1)
		if err != nil {
			t.Fatal(err)
		}
		if (!ok || !part.Clean()) && left > 0 {
			left--
			fmt.Printf("run %d of %d: %s\n", i+1, len(sets), strings.Join(set, ",")) //nolint:forbidigo // t.Log is shown at the end alone
			part, ok = playPart(t, folder, i, set), true
			part.Number, part.Of, part.Commit = i+1, len(sets), strings.TrimSpace(string(commit))
			if err := part.Keep(folder); err != nil {
				t.Fatal(err)
			}
		}
		if ok {
			played = append(played, part)
		}
	}
	report.Table(os.Stdout, nemeses.All(), played)
	fmt.Printf("%d of %d runs were played; the rest: the same command again\n", len(played), len(sets)) //nolint:forbidigo // as above
}

// playPart is one run; each has a seed of its own. The history of one that found something is kept beside what it found.
func playPart(t *testing.T, folder string, number int, set []string) report.Part {
	t.Helper()
	options := nemesis.Options{
		Length: time.Duration(*minutes * float64(time.Minute)), Seed: *seed + uint64(number), Only: set, Audit: *audit, Out: os.Stdout,
	}
	found, err := nemesis.Run(context.Background(), options)
	if err != nil {
		t.Fatalf("run %d: %v", number+1, err)
	}
	found.Write(os.Stdout)
	part := report.PartOf(found, named(*demand))
	for _, what := range append(part.Idle, part.Violations...) {
		t.Errorf("run %d: %s", number+1, what)
	}
	if !part.Clean() {
		write(t, filepath.Join(folder, fmt.Sprintf("%02d-history.json", number+1)), found)
	}
	return part
}
