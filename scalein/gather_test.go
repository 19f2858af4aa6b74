package scalein

import "testing"

func TestCaughtUp(t *testing.T) {
	for name, tc := range map[string]struct {
		madeFrom, loweredFrom string
		want                  bool
	}{
		"made from the version before":            {"7", "7", false},
		"made from an older one":                  {"6", "7", false},
		"made from the lowered one":               {"8", "7", true},
		"of more digits":                          {"10", "9", true},
		"of fewer digits":                         {"9", "10", false},
		"nothing was lowered":                     {"5", "", true},
		"versions that are no numbers":            {"b", "a", true},
		"versions that are no numbers, and alike": {"a", "a", false},
	} {
		t.Run(name, func(t *testing.T) {
			if have := caughtUp(tc.madeFrom, tc.loweredFrom); have != tc.want {
				t.Errorf("caughtUp(%q, %q) is %v", tc.madeFrom, tc.loweredFrom, have)
			}
		})
	}
}
