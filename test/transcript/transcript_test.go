package transcript

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	page := strings.ReplaceAll(`Save it:

'''yaml web.yaml
kind: Deployment
'''
'''console
$ kubectl apply -f web.yaml
deployment.apps/web created
$ true
'''
'''sh
make lab-up
'''
'''console wait
$ kubectl get deploy \
>   -n shop
NAME  READY
> not a command
'''
`, "'''", fence)
	have, err := Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{Line: 4, File: "web.yaml", Content: "kind: Deployment\n"},
		{Line: 7, Command: "kubectl apply -f web.yaml", Want: "deployment.apps/web created\n"},
		{Line: 9, Command: "true"},
		{Line: 15, Command: "kubectl get deploy \\\n  -n shop", Want: "NAME  READY\n> not a command\n", Wait: true},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

// TestABlockThatTestsNothing is an error, not a block that is passed over.
func TestABlockThatTestsNothing(t *testing.T) {
	for name, tc := range map[string]struct{ page, want string }{
		"no command":       {page: fence + "console\nNAME READY\n" + fence, want: "line 2: a console block begins with a command"},
		"empty":            {page: fence + "console\n" + fence, want: "line 2: a console block without a command"},
		"without an end":   {page: "text\n" + fence + "console\n$ true", want: "line 2: the block does not end"},
		"a file, no fence": {page: fence + "yaml web.yaml\nkind: Deployment", want: "line 1: the block does not end"},
	} {
		if _, err := Parse(tc.page); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func TestSame(t *testing.T) {
	for name, tc := range map[string]struct {
		want, have string
		same       bool
	}{
		"as it is":              {"member1  3", "member1 3", true},
		"another number":        {"member1  3", "member1  4", false},
		"an age":                {"web  3/3  12s", "web  3/3  2m10s", true},
		"an age is no number":   {"web  3/3  12s", "web  3/3  12", false},
		"a pod's name":          {"web-7d4b9c6f8d-x2k4q  Running", "web-55c8bd77f4-zz9mq  Running", true},
		"a word is no pod name": {"web-seven", "web-other", false},
		"any lines":             {"first\n...\nlast", "first\na\nb\nlast\n", true},
		"no lines":              {"first\n...\nlast", "first\nlast\n", true},
		"the last is missing":   {"first\n...\nlast", "first\na\n", false},
		"one line more":         {"first", "first\nsecond", false},
		"nothing":               {"", "", true},
		"a hash": {
			"plan 05b37a0f5f91a76b68c5bed271e446933fcefea0acba980dfc6c84da15ad4877",
			"plan " + strings.Repeat("ab", 32), true,
		},
		"an instant": {"drawn up 2026-03-02 10:01:30 UTC", "drawn up 2026-11-28 14:00:00 UTC", true},
	} {
		if have := Same(tc.want, tc.have); have != tc.same {
			t.Errorf("%s: same %t, want %t", name, have, tc.same)
		}
	}
}
