package checker

import (
	"slices"
	"testing"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// Violation is something that must not be.
type Violation struct {
	At   time.Time
	Key  history.Key
	What string
}

// Verdict is what a checker says of a history.
type Verdict struct {
	Name, Sentence string
	// Judged is how often it looked at something that could have been wrong.
	Judged     int
	Violations []Violation
}

func (v *Verdict) violated(r history.Record, key history.Key, what string) {
	v.Violations = append(v.Violations, Violation{At: r.At, Key: key, What: what})
}

// check is one checker.
type check struct {
	name, sentence string
	judge          func(history.History, *Verdict)
}

func checks() []check {
	return []check{
		{"C1 books", "BooksAgree is not True for 30 s without a break in which its owner ran while the books and the members are unequal", books},
		{"C2 replicas",
			"a member's replicas, and a template's, fall only by an autoscaler, by a hand that is known, or to what the books ask " +
				"for while those ask for all its owner wants", replicas},
		{"C3 static",
			"while an application is Static nobody of Karmada or Argosy writes to its objects in a member, and none is " +
				"deleted", static},
		{"C4 canary", "pods of the newest image grow never above what is asked for fleet-wide, and are as many at rest", canary},
		{"C5 firings",
			"every due firing of a CronHPA is handled once, none is applied after its deadline, and what was applied was seen in " +
				"the target", firings},
		{"C6 scale-in", "an order that succeeded removed exactly its pods", scaleIn},
		{"C7 approvals", "a cluster opens only after as many users as the plan demands approved that very plan", approvals},
		{"C8 release",
			"a revision of a staged application comes to a member, as a Work or in the member itself, only where it is open or stable " +
				"(or was within the last minute)", stages},
		{"C10 silence", "a condition that is False or Unknown for a minute has an event of its reason", silence},
		{"C11 liveness", "at rest all is as its owners want it", liveness},
		{"C12 absence", "nothing that a user asks for is refused for a minute by the absence of a program of ours", absence},
		{"C13 writes", "no program of ours writes one object more than 180 times in a minute", writes},
		{"C14 leftovers", "after its deletion nothing of an application is left in any plane", leftovers},
		{"C15 roles", "only who may approve does, and the user who wrote an approval is the one it names", roles},
	}
}

// All checkers' verdicts, in their order.
func All(h history.History) []Verdict {
	var out []Verdict
	for _, c := range checks() {
		v := Verdict{Name: c.name, Sentence: c.sentence}
		c.judge(h, &v)
		out = append(out, v)
	}
	return out
}

// Demand fails a test in whose history these checkers find something, or nothing to look at.
func Demand(t testing.TB, h history.History, names ...string) {
	t.Helper()
	for _, v := range All(h) {
		if !slices.Contains(names, v.Name) {
			continue
		}
		t.Logf("%s judged %d", v.Name, v.Judged)
		if v.Judged == 0 {
			t.Errorf("%s judged nothing", v.Name)
		}
		for _, found := range v.Violations {
			t.Errorf("%s: %s: %s", v.Name, found.Key, found.What)
		}
	}
}
