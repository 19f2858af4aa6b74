package environment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/argosy-dev/argosy/internal/text"
)

// Survey is a command that changes nothing and prints the records whose check holds.
const Survey = `for record in "${ARGOSY_ROOT:-}"/var/lib/argosy/packages/*.json; do
  [ -f "$record" ] || continue
  if sh "${record%.json}.check" >/dev/null 2>&1 </dev/null; then cat "$record"; fi
done
`

// Bounds of what a Server's status takes of a package (api/vm/v1alpha1).
const longestName, longestVersion = 253, 128

// MaxFound is how many packages a Server's status has room for.
const MaxFound = 256

// Read what a survey printed, by name.
func Read(output []byte) ([]Found, error) {
	var out []Found
	for line := range bytes.Lines(output) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var f Found
		if err := json.Unmarshal(line, &f); err != nil {
			return nil, fmt.Errorf("reading what is installed: %w", err)
		}
		if utf8.RuneCountInString(f.Name) > longestName || utf8.RuneCountInString(f.Version) > longestVersion {
			return nil, fmt.Errorf(
				"reading what is installed: the machine's record of package %s is longer than any of ours: name of %d characters, version of %d",
				text.Cut(f.Name, longestName), utf8.RuneCountInString(f.Name), utf8.RuneCountInString(f.Version))
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Found) int { return strings.Compare(a.Name, b.Name) })
	out = slices.CompactFunc(out, func(a, b Found) bool { return a.Name == b.Name })
	return out[:min(len(out), MaxFound)], nil
}
