package peer

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/interpreter"
)

// explain is the place in the list that a difference is intended by; -1 for none.
func explain(k Kind, q interpreter.Question, d Difference) int {
	for i, entry := range intendedDifferences {
		prefix, wild := strings.CutSuffix(entry.path, "*")
		if entry.operation == q.Operation && (d.Path == entry.path || wild && strings.HasPrefix(d.Path, prefix)) && entry.holds(k, q, d) {
			return i
		}
	}
	return -1
}

// TestEveryDifferenceIsIntended asks both about random objects.
func TestEveryDifferenceIsIntended(t *testing.T) {
	karmada := NewKarmada()
	for _, k := range Kinds {
		for _, operation := range k.Operations() {
			t.Run(k.Name+"/"+string(operation), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					q := k.Question(t, operation)
					for _, d := range Differences(karmada.Ask(q), Ours(q)) {
						if explain(k, q, d) < 0 {
							t.Fatalf("no intended difference: %v\nobject: %v\nobserved: %v\nmembers: %v", d, q.Object, q.Observed, q.Members)
						}
					}
				})
			})
		}
	}
}

// TestEveryIntentionIsMet keeps the list honest: an entry that no object of a fixed sample meets is stale.
func TestEveryIntentionIsMet(t *testing.T) {
	karmada := NewKarmada()
	met := make([]int, len(intendedDifferences))
	const sample = 400
	for _, k := range Kinds {
		for _, operation := range k.Operations() {
			questions := rapid.Custom(func(t *rapid.T) interpreter.Question { return k.Question(t, operation) })
			for seed := range sample {
				q := questions.Example(seed)
				for _, d := range Differences(karmada.Ask(q), Ours(q)) {
					if i := explain(k, q, d); i >= 0 {
						met[i]++
					}
				}
			}
		}
	}
	for i, n := range met {
		if n == 0 {
			t.Errorf("%s %s: nothing differs for the reason %q", intendedDifferences[i].operation, intendedDifferences[i].path,
				intendedDifferences[i].fact)
		}
	}
}
