package gate

import (
	"strings"
	"testing"
)

func TestDecided(t *testing.T) {
	for name, tc := range map[string]struct {
		decided Decided
		want    string
	}{
		"a new one":                       {decided: Decided{User: "bob"}},
		"in one's own name":               {decided: Decided{User: "bob", By: "bob"}},
		"in another's name":               {decided: Decided{User: "bob", By: "ann"}, want: "bob cannot decide in the name of ann"},
		"another's, changed":              {decided: Decided{User: "bob", Before: "ann", By: "ann"}},
		"another's, given to a third":     {decided: Decided{User: "bob", Before: "ann", By: "eve"}, want: "in the name of eve"},
		"a program's":                     {decided: Decided{User: "system:serviceaccount:ci:robot"}, want: "is a program"},
		"a program's, in a person's name": {decided: Decided{User: "system:serviceaccount:ci:robot", By: "ann"}, want: "is a program"},
	} {
		if have := tc.decided.Refusal(); tc.want == "" && have != "" || !strings.Contains(have, tc.want) {
			t.Errorf("%s: %q, want %q", name, have, tc.want)
		}
	}
}
