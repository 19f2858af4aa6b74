package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlan(t *testing.T) {
	for name, tc := range map[string]struct {
		args    string
		want    plan
		wantErr string
	}{
		"one go test, as it is written": {
			args: "-count=1 -p=2 ./a ./b",
			want: plan{atOnce: 1, jobs: []job{{"-count=1", "-p=2", "./a", "./b"}}},
		},
		"a go test for each package, in their order": {
			args: "-at-once=3 -count=1 ./b ./a",
			want: plan{atOnce: 3, jobs: []job{{"-count=1", "./b"}, {"-count=1", "./a"}}},
		},
		"the first package in two parts": {
			args: "-at-once=2 -apart=^(TestA|TestB)$ -count=1 ./b ./a",
			want: plan{atOnce: 2, jobs: []job{
				{"-count=1", "-run=^(TestA|TestB)$", "./b"}, {"-count=1", "-skip=^(TestA|TestB)$", "./b"}, {"-count=1", "./a"},
			}},
		},
		"no number":            {args: "-at-once=many ./a", wantErr: "-at-once=many: want how many packages to run at a time, 1 or more"},
		"none at a time":       {args: "-at-once=0 ./a", wantErr: "-at-once=0: want how many packages to run at a time, 1 or more"},
		"parts of one go test": {args: "-apart=^TestA$ ./a", wantErr: "-apart needs -at-once: one go test plays no package in parts"},
		"no expression": {
			args: "-at-once=2 -apart=( ./a", wantErr: "-apart=(: want a regular expression of whole tests' names, without subtests",
		},
		"an expression of a story": {
			args: "-at-once=2 -apart=A/b ./a", wantErr: "-apart=A/b: want a regular expression of whole tests' names, without subtests",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(strings.Fields(tc.args))
			if tc.wantErr != "" {
				if err == nil || err.Error() != tc.wantErr {
					t.Fatalf("got %v, want %s", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(plan{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestParts: several at a time, every test is played once, what fails is told and is the exit code.
func TestParts(t *testing.T) {
	tests := map[string][]string{"./a": {"TestOne", "TestTwo", "TestThree"}, "./b": {"TestFour"}, "./c": {"TestFive"}}
	var lock sync.Mutex
	played := map[string]int{}
	// The first two jobs end when both have begun: fewer at a time, and this test never ends.
	both := sync.WaitGroup{}
	both.Add(2)
	start := func(j job, see func(io.Reader) error) (int, error) {
		name := j[len(j)-1]
		if name == "./a" {
			both.Done()
			both.Wait()
		}
		var events strings.Builder
		code := 0
		for i, test := range tests[name] {
			if !wanted(j, test) {
				continue
			}
			lock.Lock()
			played[test]++
			lock.Unlock()
			action := "pass"
			if test == "TestFour" {
				action, code = "fail", 3
				fmt.Fprintf(&events, `{"Action":"output","Package":"m/argosy/b","Test":"TestFour","Output":"wrong\n"}`+"\n")
			}
			fmt.Fprintf(&events, `{"Action":%q,"Package":"m/argosy/%s","Test":%q,"Elapsed":%d}`+"\n", action, name[2:], test, 10*len(test)+i)
		}
		return code, see(strings.NewReader(events.String()))
	}
	var out strings.Builder
	code, err := run([]string{"-at-once=2", "-apart=^TestTwo$", "./a", "./b", "./c"}, &out, start)
	if code != 3 || err != nil {
		t.Errorf("got exit code %d and %v, want 3", code, err)
	}
	want := map[string]int{"TestOne": 1, "TestTwo": 1, "TestThree": 1, "TestFour": 1, "TestFive": 1}
	if diff := cmp.Diff(want, played); diff != "" {
		t.Errorf("how often each test was played (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(out.String(), "wrong\n") {
		t.Errorf("not told what failed first: %s", out.String())
	}
	if !strings.Contains(out.String(), "slowest 5 of 5 tests:\n    92.0 s  a  TestThree\n") {
		t.Errorf("not the slowest of all: %s", out.String())
	}
}

func wanted(j job, test string) bool {
	for _, arg := range j {
		if which, found := strings.CutPrefix(arg, "-run="); found {
			return regexp.MustCompile(which).MatchString(test)
		}
		if which, found := strings.CutPrefix(arg, "-skip="); found {
			return !regexp.MustCompile(which).MatchString(test)
		}
	}
	return true
}

// TestCannotStart: the reason is told, and the others are played all the same.
func TestCannotStart(t *testing.T) {
	started := 0
	code, err := run([]string{"-at-once=1", "./a", "./b"}, io.Discard, func(job, func(io.Reader) error) (int, error) {
		started++
		return 1, errors.New("no go here")
	})
	if code != 1 || err == nil || started != 2 {
		t.Errorf("got exit code %d, %v and %d started; want 1, an error and 2", code, err, started)
	}
}
