package accuracy

import (
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/argosy-dev/argosy/estimator/server"
)

var seeds = flag.Int("seeds", 2, "members to build for each class")

// result is one question and its truth.
type result struct {
	class       string
	seed        int64
	least, most int32 // what the real scheduler bound, over its runs
	ours, stock int32
	ordered     bool
}

// exact in every class whose result does not depend on chance; in the others never above what the real scheduler can do.
func (r result) wrong() string {
	switch {
	case r.ours > r.most:
		return "above the real scheduler"
	case !r.ordered && r.ours != r.most:
		return "not exact"
	case r.ordered && r.ours < r.least-r.least/5:
		return "more than a fifth below the real scheduler's worst run"
	}
	return ""
}

func TestAccuracy(t *testing.T) {
	rig := newRig(t)
	var results []result
	for _, class := range classes() {
		for seed := range int64(*seeds) {
			t.Run(fmt.Sprintf("%s/seed %d", class.name, seed), func(t *testing.T) {
				rig.t = t
				w := class.build(rand.New(rand.NewSource(seed + 1)))
				defer rig.clear(w)
				rig.build(w)
				one := result{class: class.name, seed: seed, ordered: w.ordered}
				one.ours, one.stock = rig.askOurs(w), rig.askStock(w)
				if w.unknown {
					if one.ours != server.Unknown {
						t.Errorf("ours says %d of what cannot be known", one.ours)
					}
					return
				}
				one.least, one.most = rig.truth(w, toPlace(one.ours, one.stock))
				if wrong := one.wrong(); wrong != "" {
					t.Errorf("ours says %d, the real scheduler bound %d to %d: %s", one.ours, one.least, one.most, wrong)
				}
				results = append(results, one)
			})
		}
	}
	table(t, results)
}

// truth runs the real scheduler; where chance has a part, several times.
func (r *rig) truth(w *world, replicas int) (least, most int32) {
	runs := 1
	if w.ordered {
		runs = 5
	}
	for i := range runs {
		bound := r.place(w, replicas)
		if i == 0 || bound < least {
			least = bound
		}
		most = max(most, bound)
	}
	return least, most
}

// table prints what a reader wants to see, for each class over its seeds.
func table(t *testing.T, results []result) {
	t.Helper()
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "class\tseed\treal\tours\tstock\tour error\tstock error")
	for _, r := range results {
		real := fmt.Sprint(r.most)
		if r.least != r.most {
			real = fmt.Sprintf("%d-%d", r.least, r.most)
		}
		fmt.Fprintf(out, "%s\t%d\t%s\t%d\t%d\t%s\t%s\n", r.class, r.seed, real, r.ours, r.stock, off(r.ours, r), off(r.stock, r))
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(os.Stdout, "\n%s\n", text.String())
}

// off is the distance from the real scheduler's own range.
func off(answer int32, r result) string {
	switch {
	case answer > r.most:
		return fmt.Sprintf("+%d", answer-r.most)
	case answer < r.least:
		return fmt.Sprintf("-%d", r.least-answer)
	}
	return "0"
}
