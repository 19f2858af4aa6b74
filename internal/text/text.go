// Package text cuts what people read in a status, and compares what it says. It reads and writes nothing.
package text

import (
	"regexp"
	"strings"
)

// Cut shortens a text to limit bytes, dots included, at a character's border.
func Cut(words string, limit int) string {
	if len(words) <= limit {
		return words
	}
	return strings.ToValidUTF8(words[:max(limit-3, 0)], "") + "..."
}

// Keep is what stood there, where the new words differ from it only in what no two tries of one failure have in common. A status that is
// written for that alone wakes every watcher of the object, and tells none of them anything.
func Keep(said, now string) string {
	if said != now && lasting(said) == lasting(now) {
		return said
	}
	return now
}

// passing are the parts of an error's text that belong to one try: when it was, an id given to it, and the end of the connection that the
// kernel chose.
var passing = []*regexp.Regexp{
	regexp.MustCompile(`\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z| ?[+-]\d{2}:?\d{2})?`),
	regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`),
	regexp.MustCompile(`(?i)\b(?:request|trace|correlation|audit)[-_ ]?id["']?\s*[:= ]\s*["']?[\w./+=-]+`),
	regexp.MustCompile(`:\d+->`),
}

// lasting is a text without what passes.
func lasting(words string) string {
	for _, part := range passing {
		words = part.ReplaceAllLiteralString(words, "\x00")
	}
	return words
}
