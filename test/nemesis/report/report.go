// Package report tells of a run: what was done, what went wrong on purpose, what the checkers say, and how to do it again.
package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/checker"
	"github.com/argosy-dev/argosy/test/nemesis/history"
	"github.com/argosy-dev/argosy/test/nemesis/nemesis"
)

// Report of a run.
type Report struct {
	Seed     uint64
	Length   time.Duration
	Only     []string
	Schedule []nemesis.Fault
	// Happened is how often each nemesis is known to have happened, Failures what could not be done.
	Happened map[string]int
	Failures []string
	// Operations of users by kind.
	Operations map[string]int
	// Took is how long it was in all, Spared the seconds with CPU to spare, Stalls when the machine stood still.
	Took   time.Duration
	Spared int
	Stalls []time.Duration
	// Seen is what the history saw, Harness the CPU this process took, Servers what etcd and the API servers did.
	Seen             history.Seen
	Harness, Servers time.Duration
	// Died are processes that ended by themselves.
	Died     []string
	Verdicts []checker.Verdict
	History  history.History
}

// Failed tells whether a checker found something.
func (r Report) Failed() bool {
	return slices.ContainsFunc(r.Verdicts, func(v checker.Verdict) bool { return len(v.Violations) > 0 })
}

// Idle is what was to happen and did not: a run without it shows nothing of it. Nemeses that were named, a kill if nothing was, and what is
// demanded: operations, and checkers (by C and number) that had something to judge.
func (r Report) Idle(demanded []string) []string {
	named := r.Only
	if len(named) == 0 {
		named = []string{nemesis.Kill}
	}
	var out []string
	for _, name := range named {
		if r.Happened[name] == 0 {
			out = append(out, "no "+name+" happened")
		}
	}
	for _, name := range demanded {
		judged, is := r.judged(name)
		switch {
		case is && judged == 0:
			out = append(out, name+" judged nothing")
		case !is && r.Operations[name] == 0:
			out = append(out, "nobody did "+name)
		}
	}
	return out
}

// judged is how often a checker looked at something that could have been wrong, and whether there is such a checker.
func (r Report) judged(name string) (int, bool) {
	for _, v := range r.Verdicts {
		if short(v) == name {
			return v.Judged, true
		}
	}
	return 0, false
}

// short is a checker's name without its word: C1.
func short(v checker.Verdict) string {
	name, _, _ := strings.Cut(v.Name, " ")
	return name
}

// Replay is the command that does the same again.
func (r Report) Replay() string {
	command := fmt.Sprintf("make nemesis SEED=%d MINUTES=%.2g", r.Seed, r.Length.Minutes())
	if len(r.Only) > 0 {
		command += " ONLY=" + strings.Join(r.Only, ",")
	}
	return command
}

// around is how much of what happened before a violation is shown, and in how many lines at most.
const (
	around = 40 * time.Second
	lines  = 40
)

// Write tells it in words.
func (r Report) Write(out io.Writer) {
	fmt.Fprintf(out, "\nNemesis, seed %d: %.0f s of load, %.0f s in all, %d of them with CPU to spare",
		r.Seed, r.Length.Seconds(), r.Took.Seconds(), r.Spared)
	if len(r.Stalls) > 0 {
		fmt.Fprintf(out, "; the machine stood still %d times, the longest %s", len(r.Stalls), slices.Max(r.Stalls).Round(time.Second))
	}
	fmt.Fprintf(out, "\nagain: %s\n\nwhat went wrong on purpose\n", r.Replay())
	for _, f := range r.Schedule {
		fmt.Fprintln(out, "  "+f.String())
	}
	fmt.Fprintf(out, "known to have happened: %s\n", counts(r.Happened))
	for _, f := range r.Failures {
		fmt.Fprintln(out, "  not done: "+f)
	}
	for _, d := range r.Died {
		fmt.Fprintln(out, "  died by itself: "+d)
	}
	fmt.Fprintf(out, "what users did: %s\n", counts(r.Operations))
	fmt.Fprintf(out, "the history: %d changes, %.1f MB, %d kept; this process took %.1f s of CPU, etcd and the API servers %.1f s\n\n",
		r.Seen.Changes, float64(r.Seen.Bytes)/(1<<20), r.Seen.Kept, r.Harness.Seconds(), r.Servers.Seconds())
	for _, v := range r.Verdicts {
		fmt.Fprintf(out, "  %-15s judged %5d   violated %d\n", v.Name, v.Judged, len(v.Violations))
	}
	ready, all := checker.Capacity(r.History)
	fmt.Fprintf(out, "  C9 capacity     %d of %d pods that were there for a minute were Ready within it\n", ready, all)
	for _, v := range r.Verdicts {
		for i, found := range v.Violations {
			if i == 5 {
				fmt.Fprintf(out, "  and %d more of %s\n", len(v.Violations)-i, v.Name)
				break
			}
			fmt.Fprintf(out, "\n%s: %s\n  %s %s: %s\n", v.Name, v.Sentence, found.At.Format("15:04:05.000"), found.Key, found.What)
			r.piece(out, found)
		}
	}
}

func counts(of map[string]int) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		words = append(words, fmt.Sprintf("%s %d", name, of[name]))
	}
	return cmp.Or(strings.Join(words, ", "), "nothing")
}

// piece shows what was written to objects of that name, and what went wrong, shortly before a violation; what says the same again is left
// out.
func (r Report) piece(out io.Writer, found checker.Violation) {
	var told []string
	last := map[history.Key]string{}
	for _, one := range r.History.Records {
		if one.At.After(found.At) || found.At.Sub(one.At) > around {
			continue
		}
		line := tell(one, found.Key.Name)
		if line == "" || one.Note == nil && last[one.Key] == line {
			continue
		}
		last[one.Key] = line
		told = append(told, fmt.Sprintf("    %s %9d  %s", one.At.Format("15:04:05.000"), one.Revision, line))
	}
	for _, line := range told[max(0, len(told)-lines):] {
		fmt.Fprintln(out, line)
	}
}

// tell is a record in a line, if it has to do with the name.
func tell(r history.Record, name string) string {
	if n := r.Note; n != nil {
		if n.Kind == history.Pressure {
			return ""
		}
		end := ""
		if n.Ends {
			end = " ends"
		}
		return strings.TrimSpace(fmt.Sprintf("%s %s %s%s %d %s", n.Kind, n.Name, n.Target, end, n.Value, n.Text))
	}
	who := strings.Trim(r.Who+" "+r.Agent, " ")
	switch {
	case r.Resource == history.Works:
		for _, m := range r.Object.List("spec", "workload", "manifests") {
			if m.Text("metadata", "name") == name {
				n, _ := m.Int("spec", "replicas")
				return fmt.Sprintf("%s %s %s replicas %d  %s", r.Op, r.Key, m.Text("kind"), n, who)
			}
		}
		return ""
	case r.Resource == history.Pods || r.Resource == history.Events || r.Name != name && !strings.HasPrefix(r.Name, name+"-"):
		return ""
	}
	var words []string
	if n, ok := r.Object.Int("spec", "replicas"); ok {
		words = append(words, fmt.Sprintf("replicas %d", n))
	}
	for _, c := range r.Object.List("spec", "clusters") {
		n, _ := c.Int("replicas")
		words = append(words, fmt.Sprintf("%s=%d", c.Text("name"), n))
	}
	for _, c := range r.Object.List("status", "conditions") {
		words = append(words, c.Text("type")+"="+c.Text("status"))
	}
	return fmt.Sprintf("%s %s %s  %s", r.Op, r.Key, strings.Join(words, " "), who)
}
