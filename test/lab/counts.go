package lab

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// enough is how often the clients of one test may ask again in all: two minutes of one question.
const enough = 480

// counts says of every test in a process what its patient clients asked again, and what no repetition excuses.
type counts struct {
	mu sync.Mutex
	// repeated questions by who asked, with the last reason; failed are those that a webhook of ours failed at.
	repeated, failed map[string]count
}

type count struct {
	times int
	why   string
}

// ofThisProcess is where the clients of this process count.
var ofThisProcess = newCounts()

func newCounts() *counts { return &counts{repeated: map[string]count{}, failed: map[string]count{}} }

// repeats counts a repetition, unless the test has had enough of them.
func (c *counts) repeats(who string, why trouble) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.repeated[who].times >= enough {
		return false
	}
	c.repeated[who] = count{c.repeated[who].times + 1, why.String()}
	return true
}

// fails counts a question that a webhook of ours failed at.
func (c *counts) fails(who, webhook string, why trouble) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed[who] = count{c.failed[who].times + 1, webhook + ": " + why.String()}
}

// tell is what was counted, a line for each test.
func (c *counts) tell() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out strings.Builder
	for _, of := range []struct {
		what string
		who  map[string]count
	}{{"asked again", c.repeated}, {"FAILED: a webhook of ours failed", c.failed}} {
		for _, who := range slices.Sorted(maps.Keys(of.who)) {
			fmt.Fprintf(&out, "%s: %s %d times, the last for %s\n", who, of.what, of.who[who].times, of.who[who].why)
		}
	}
	return out.String()
}

// Judge runs a package's tests, prints what their patient clients asked again, and fails them if a webhook of ours failed. Every package
// with such clients has it in its TestMain, in the place of m.Run.
func Judge(m interface{ Run() int }) int { return ofThisProcess.judge(m, os.Stdout, retriesFile()) }

func (c *counts) judge(m interface{ Run() int }, out io.Writer, file string) int {
	code := m.Run()
	told := c.tell()
	fmt.Fprint(out, told)
	if err := keep(told, file); err != nil {
		fmt.Fprintln(out, "keeping what was asked again:", err)
	}
	if code == 0 && len(c.failed) > 0 {
		return 1
	}
	return code
}

// keep adds to the file that make test prints at its end: go test shows what a green package prints only when it is told -v.
func keep(told, file string) error {
	if told == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, told)
	return errors.Join(err, f.Close())
}

// retriesFile is in the clone, or nowhere.
func retriesFile() string {
	root, err := binaries.FindRoot()
	if err != nil {
		return os.DevNull
	}
	return filepath.Join(root, "_artifacts", "retries.txt")
}

// Kubernetes' own words for a webhook that failed: k8s.io/apiserver webhook.ErrCallingWebhook, and webhookerrors.ToStatusErr for one that
// answered with a fault of its own; in JSON the quotes are escaped.
var calledWebhook = regexp.MustCompile(`(?:failed calling|admission) webhook \\?"([^"\\]+)\\?"`)

// ourWebhook is the webhook of ours that a fault of an API server names.
func ourWebhook(text string) string {
	for _, match := range calledWebhook.FindAllStringSubmatch(text, -1) {
		if strings.HasSuffix(match[1], ".argosy.dev") {
			return match[1]
		}
	}
	return ""
}

// asker is the outermost function of ours that the question comes from: the test, as clients send their requests in the goroutine that
// asks.
func asker() string {
	pcs := make([]uintptr, 256)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	who := "another goroutine"
	for {
		frame, more := frames.Next()
		if name, ours := strings.CutPrefix(frame.Function, "github.com/argosy-dev/argosy/"); ours {
			who = name
		}
		if !more {
			return who
		}
	}
}

// shortened is the beginning of an answer, on one line.
func shortened(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}
