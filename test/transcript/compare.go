package transcript

import (
	"regexp"
	"strings"
)

// differs is what no two runs have in common: each is compared as what kind of thing it is.
var differs = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)?`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "UID"},
	{regexp.MustCompile(`\b[0-9a-f]{40,64}\b`), "HASH"},
	// kubectl's ages, and durations of Go.
	{regexp.MustCompile(`\b(\d+(\.\d+)?(ms|h|m|s|d))+\b`), "AGE"},
	// A pod of a Deployment, and one of a ReplicaSet or CloneSet: names made up by Kubernetes have no vowels.
	{regexp.MustCompile(`-[0-9bcdf-hj-np-tv-z]{8,10}-[0-9bcdf-hj-np-tv-z]{5}\b`), "-POD"},
	{regexp.MustCompile(`-[0-9bcdf-hj-np-tv-z]{5}\b`), "-POD"},
}

// plain is a line without what differs, and with one space where there were more: a table's columns are as wide as its longest word.
func plain(line string) string {
	for _, d := range differs {
		line = d.what.ReplaceAllString(line, d.as)
	}
	return strings.Join(strings.Fields(line), " ")
}

func plainLines(text string) []string {
	var lines []string
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		lines = append(lines, plain(line))
	}
	return lines
}

// Same says whether a command printed what the page shows. A line "..." of the page stands for any lines, none too.
func Same(want, have string) bool {
	return same(plainLines(want), plainLines(have))
}

func same(want, have []string) bool {
	switch {
	case len(want) == 0:
		return len(have) == 0
	case want[0] == "...":
		return same(want[1:], have) || (len(have) > 0 && same(want, have[1:]))
	case len(have) == 0 || want[0] != have[0]:
		return false
	}
	return same(want[1:], have[1:])
}
