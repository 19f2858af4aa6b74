package decide

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// TestHistoryHasABudget: of ten revisions, or of 4 MiB, the oldest are forgotten; the stable and the newest never.
func TestHistoryHasABudget(t *testing.T) {
	const mib = 1 << 20
	for name, tc := range map[string]struct {
		bytes  []int64
		newest int64
		stable string
		want   string
	}{
		"few":                    {[]int64{mib, mib}, mib, "r1", "r0 r1 r2"},
		"too much":               {[]int64{mib, mib, mib, mib}, mib, "r3", "r1 r2 r3 r4"},
		"a large one":            {[]int64{mib, mib, mib, mib}, 3 * mib, "r3", "r3 r4"},
		"the stable one stays":   {[]int64{mib, mib, mib, mib}, 3 * mib, "r0", "r0 r4"},
		"and so does the newest": {[]int64{3 * mib, mib}, 3 * mib, "r0", "r0 r2"},
		"too many":               {make([]int64, 11), 0, "r0", "r0 r3 r4 r5 r6 r7 r8 r9 r10 r11"},
	} {
		t.Run(name, func(t *testing.T) {
			n := &next{World: World{Template: &Template{Revision: fmt.Sprintf("r%d", len(tc.bytes)), Bytes: tc.newest}}}
			n.Status.Dispatch = &v1alpha1.Dispatch{Stable: tc.stable}
			for i, bytes := range tc.bytes {
				n.Status.History = append(n.Status.History, v1alpha1.Revision{Name: fmt.Sprintf("r%d", i), Bytes: bytes})
			}
			n.remember()
			var got []string
			for _, one := range n.Status.History {
				got = append(got, one.Name)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
			if last := n.Status.History[len(n.Status.History)-1]; last.Bytes != tc.newest || !n.Record {
				t.Errorf("the newest is %+v, recorded %t", last, n.Record)
			}
			// Seen again, when it is in the history and not weighed anew, it weighs what it did.
			n.Template.Bytes = 0
			n.remember()
			if last := n.Status.History[len(n.Status.History)-1]; last.Bytes != tc.newest {
				t.Errorf("seen again, it weighs %d", last.Bytes)
			}
		})
	}
}

// TestPassingOverridesAreSaid: who changes overrides that act at once is heard of, once.
func TestPassingOverridesAreSaid(t *testing.T) {
	at := func(hash string, names ...string) *Overrides { return &Overrides{Hash: hash, Names: names} }
	for name, tc := range map[string]struct {
		hold    v1alpha1.Overrides
		before  string
		now     *Overrides
		fresh   bool
		want    string
		written string
	}{
		"seen first": {now: at("a", "OverridePolicy x"), written: "a"},
		"as before":  {before: "a", now: at("a", "OverridePolicy x"), written: "a"},
		"changed": {before: "a", now: at("b", "OverridePolicy x", "ClusterOverridePolicy y"),
			want: ": OverridePolicy x, ClusterOverridePolicy y", written: "b"},
		"taken away":  {before: "a", now: at("b"), want: ": none any more", written: "b"},
		"held":        {hold: v1alpha1.OverridesHold, before: "a", now: at("b"), written: ""},
		"not read":    {before: "a", written: "a"},
		"not adopted": {fresh: true, now: at("b"), written: ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := &next{
				World: World{Overrides: tc.now}, spec: &v1alpha1.ReleaseSpec{Overrides: tc.hold},
				before: &v1alpha1.ReleaseStatus{Overrides: tc.before},
			}
			n.Status = *n.before.DeepCopy()
			if !tc.fresh {
				n.Status.Dispatch = &v1alpha1.Dispatch{}
			}
			n.passes()
			switch {
			case tc.want == "" && len(n.Events) > 0:
				t.Errorf("events %v", n.Events)
			case tc.want != "" && (len(n.Events) != 1 || n.Events[0].Reason != v1alpha1.ReasonOverridesPassed ||
				!strings.HasSuffix(n.Events[0].Message, tc.want)):
				t.Errorf("events %v, want one that ends with %q", n.Events, tc.want)
			}
			if n.Status.Overrides != tc.written {
				t.Errorf("status.overrides %q, want %q", n.Status.Overrides, tc.written)
			}
		})
	}
}
