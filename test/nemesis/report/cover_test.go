package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/test/nemesis/checker"
	"github.com/argosy-dev/argosy/test/nemesis/history"
)

func played(happened map[string]int, violations int) Report {
	v := checker.Verdict{Name: "C2 replicas", Judged: 7, Violations: make([]checker.Violation, violations)}
	for i := range v.Violations {
		v.Violations[i] = checker.Violation{Key: history.Key{Plane: "member1", Resource: "deployments", Name: "plain"}, What: "it fell"}
	}
	return Report{
		Seed: 4, Length: 60e9, Only: []string{"kill", "cut"}, Happened: happened, Operations: map[string]int{"scale": 3},
		Verdicts: []checker.Verdict{{Name: "C10 silence", Judged: 1}, {Name: "C9 capacity"}, v},
	}
}

// TestCleanIsWhatHappened: a run is not played again only if all of it happened and nothing was found.
func TestCleanIsWhatHappened(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		report   Report
		demanded []string
		want     bool
	}{
		"all of it":              {played(map[string]int{"kill": 1, "cut": 1}, 0), []string{"scale"}, true},
		"a nemesis did nothing":  {played(map[string]int{"kill": 1}, 0), nil, false},
		"users did nothing":      {played(map[string]int{"kill": 1, "cut": 1}, 0), []string{"ship"}, false},
		"a checker judged":       {played(map[string]int{"kill": 1, "cut": 1}, 0), []string{"C2"}, true},
		"a checker had nothing":  {played(map[string]int{"kill": 1, "cut": 1}, 0), []string{"C9"}, false},
		"something was violated": {played(map[string]int{"kill": 1, "cut": 1}, 1), nil, false},
	} {
		if got := PartOf(tc.report, tc.demanded).Clean(); got != tc.want {
			t.Errorf("%s: clean %t, want %t", name, got, tc.want)
		}
	}
}

func TestPartIsKept(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if _, ok, err := Kept(folder, 1); ok || err != nil {
		t.Fatalf("what was not played is kept: %t, %v", ok, err)
	}
	want := PartOf(played(map[string]int{"kill": 2}, 1), nil)
	want.Number, want.Of, want.Commit = 1, 3, "abc"
	if err := want.Keep(folder); err != nil {
		t.Fatal(err)
	}
	got, ok, err := Kept(folder, 1)
	if err != nil || !ok {
		t.Fatalf("%t, %v", ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	one, two := PartOf(played(map[string]int{"kill": 2, "cut": 1}, 0), nil), PartOf(played(map[string]int{"kill": 1}, 1), nil)
	one.Number, one.Commit, two.Number, two.Commit = 1, "abc", 2, "abd"
	var out strings.Builder
	Table(&out, []string{"kill", "cut", "taint"}, []Part{one, two})
	want := `| nemesis | runs | happened | s of load | C2 | C9 | C10 |
|---|---|---|---|---|---|---|
| kill | 2 | 3 | 120 | 14: 1 | 0: 0 | 2: 0 |
| cut | 1 | 1 | 60 | 7: 0 | 0: 0 | 1: 0 |
| taint | 0 | 0 | 0 | 0: 0 | 0: 0 | 0: 0 |

1 of 3 pairs of nemeses met in 2 runs: 120 s of load, 0 s in all, 6 operations of users.
1 runs of abc
1 runs of abd
run 2 (seed 4): no cut happened
run 2 (seed 4): C2 replicas: member1 deployments plain: it fell
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
