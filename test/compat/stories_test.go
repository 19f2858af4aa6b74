package compat

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// none is what asks for no scene, or no story.
const none = "none"

// story is tests of test/e2e that are played on a federation of the version, which their package starts.
type story struct{ name, pkg, run string }

var stories = []story{
	{"migration", "github.com/argosy-dev/argosy/test/e2e/migration", "."},
	{"fedhpa", "github.com/argosy-dev/argosy/test/e2e", "^TestFedHPA"},
}

func selectStories(names string) ([]story, error) {
	switch names {
	case none:
		return nil, nil
	case "":
		return stories, nil
	}
	var out []story
	for name := range strings.SplitSeq(names, ",") {
		at := slices.IndexFunc(stories, func(s story) bool { return s.name == name })
		if at < 0 {
			return nil, fmt.Errorf("no story is called %q", name)
		}
		out = append(out, stories[at])
	}
	return out, nil
}

// play returns the cell of the version's row: how many tests passed, and how long they took with their federation. One that was skipped did
// not pass.
func (s story) play(t *testing.T, version string) string {
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "-count=1", "-timeout=40m", "-run="+cmp.Or(*part, s.run), s.pkg, "-args",
		"-karmada="+version, "-kubernetes="+*members)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	passed, failed, skipped, seconds := 0, 0, 0, 0.0
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// A line of go test -json (go doc test2json).
		var event struct {
			Action, Test, Output string
			Elapsed              float64
		}
		if json.Unmarshal(lines.Bytes(), &event) != nil {
			continue
		}
		whole := !strings.Contains(event.Test, "/")
		switch {
		case event.Action == "output":
			fmt.Fprint(t.Output(), event.Output)
		case event.Test == "" && (event.Action == "pass" || event.Action == "fail"):
			seconds = event.Elapsed
		case event.Action == "pass" && whole:
			passed++
		case event.Action == "fail" && whole:
			failed++
		case event.Action == "skip" && whole:
			skipped++
		}
	}
	readErr := lines.Err()
	if err := cmd.Wait(); err != nil || readErr != nil || passed == 0 {
		t.Errorf("the stories of %s on Karmada %s: %d failed, %d passed, %d skipped (%v, %v)",
			s.name, version, failed, passed, skipped, err, readErr)
	}
	return fmt.Sprintf("%d of %d, %.0f s", passed, passed+failed+skipped, seconds)
}
