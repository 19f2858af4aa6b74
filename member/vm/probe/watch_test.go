package probe

import (
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func check() *v1alpha1.HealthCheck {
	return &v1alpha1.HealthCheck{
		TCPSocket: &v1alpha1.TCPSocketCheck{Port: 1}, PeriodSeconds: 10, SuccessThreshold: 2, FailureThreshold: 3,
		StartupSeconds: ptr.To[int32](60),
	}
}

// TestNote: a line of answers, ten seconds apart: + passed, - failed, and ~ failed when the prober itself was late.
func TestNote(t *testing.T) {
	for name, tc := range map[string]struct {
		from    Verdict
		answers string
		want    Verdict
	}{
		"nothing yet":              {NotKnown, "", NotKnown},
		"one is not enough":        {NotKnown, "+", NotKnown},
		"up":                       {NotKnown, "++", Healthy},
		"coming up":                {NotKnown, "-----", NotKnown},
		"does not come up":         {NotKnown, "-------", Unhealthy},
		"comes up late":            {NotKnown, "------++", Healthy},
		"up, and then fails often": {NotKnown, "++---", Unhealthy},
		"up, and then fails twice": {NotKnown, "++--", Healthy},
		"fails now and then":       {Healthy, "--+--+--", Healthy},
		"was up before":            {Healthy, "---", Unhealthy},
		"was not":                  {Unhealthy, "", Unhealthy},
		"recovers":                 {Unhealthy, "-+++", Healthy},
		"recovers by half":         {Unhealthy, "+-+-", Unhealthy},
		"the prober was late":      {Healthy, "~~~~", Healthy},
		"late once":                {Healthy, "--~-", Unhealthy},
	} {
		w := Resume(tc.from, false, noon)
		for i, answer := range tc.answers {
			due := noon.Add(time.Duration(i) * 10 * time.Second)
			r := Result{Passed: answer == '+', Due: due, Started: due}
			if answer == '~' {
				r.Started = due.Add(11 * time.Second)
			}
			w = w.Note(check(), r)
		}
		if w.Verdict != tc.want {
			t.Errorf("%s: %s, want %s", name, w.Verdict, tc.want)
		}
	}
}

// set of watches, asked at noon in their order, one a second: + passes, - begins to fail, x is unhealthy, and . was not asked since.
func set(text string) []Watch {
	var out []Watch
	for i, answer := range text {
		w := Resume(Healthy, false, noon.Add(-time.Hour))
		w.Asked = noon.Add(time.Duration(i) * time.Second)
		switch answer {
		case '-':
			w.Failed, w.FailingSince = 1, w.Asked
		case 'x':
			w.Verdict, w.Failed, w.FailingSince = Unhealthy, 9, noon.Add(-time.Minute)
		case '.':
			w.Asked = noon.Add(-2 * time.Minute)
		}
		out = append(out, w)
	}
	return out
}

func TestBlind(t *testing.T) {
	for name, tc := range map[string]struct {
		set     string
		allowed int
		want    string
	}{
		"all pass":                   {set: "++++"},
		"one of one":                 {set: "x"},
		"one of two":                 {set: "x+"},
		"both":                       {set: "xx", want: "2 of 2 servers fail"},
		"as many as may":             {set: "xx+++", allowed: 2},
		"one more":                   {set: "xx-++", allowed: 2, want: "3 of 5 servers fail their health check, and 2 may at once"},
		"not all were asked since":   {set: "x.+", allowed: 2, want: "not all servers were asked"},
		"not all, and nobody fails":  {set: "+.+"},
		"the next may fail, too":     {set: "-..", allowed: 1, want: "not all servers were asked"},
		"none was asked by this one": {set: "x" + strings.Repeat(".", 3), allowed: 3, want: "not all servers were asked"},
	} {
		if have := Blind(set(tc.set), tc.allowed); !strings.HasPrefix(have, tc.want) || (have == "") != (tc.want == "") {
			t.Errorf("%s: %q, want %q", name, have, tc.want)
		}
	}
}

// TestABlindProberDetachesNobody: whatever the thresholds and the order, when the path to all servers of a set breaks at one instant, no
// verdict against more of them than may fail is ever trusted, by a new process neither.
func TestABlindProberDetachesNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "servers")
		allowed := rapid.IntRange(0, n-1).Draw(t, "allowed")
		c := check()
		c.FailureThreshold = rapid.Int32Range(1, 4).Draw(t, "threshold")
		watches, phase := make([]Watch, n), make([]int, n)
		for i := range watches {
			watches[i], phase[i] = Resume(Healthy, false, noon), rapid.IntRange(0, 9).Draw(t, "phase")
		}
		broken := rapid.IntRange(0, 60).Draw(t, "breaks at")
		restart := rapid.IntRange(0, 120).Draw(t, "restarts at")
		for second := range 120 {
			now := noon.Add(time.Duration(second) * time.Second)
			for i := range watches {
				if second == restart {
					watches[i] = Resume(watches[i].Verdict, false, now)
				}
				if second%10 == phase[i] {
					watches[i] = watches[i].Note(c, Result{Passed: second < broken, Due: now, Started: now})
				}
			}
			trusted := 0
			for _, w := range watches {
				if w.Verdict == Unhealthy && Blind(watches, allowed) == "" {
					trusted++
				}
			}
			if trusted > 0 {
				t.Fatalf("second %d: %d of %d are taken out of service", second, trusted, n)
			}
		}
	})
}

// TestNeverUp: what never passed is not missed within its grace, also by a process that came later; what is known to have passed is.
func TestNeverUp(t *testing.T) {
	check := &v1alpha1.HealthCheck{PeriodSeconds: 1, FailureThreshold: 2, StartupSeconds: ptr.To[int32](1000)}
	for _, up := range []bool{false, true} {
		w := Resume(NotKnown, up, noon)
		for i := range 3 {
			at := noon.Add(time.Duration(i) * time.Second)
			w = w.Note(check, Result{Due: at, Started: at})
		}
		if (w.Verdict == Unhealthy) != up {
			t.Errorf("up before %v: %s", up, w.Verdict)
		}
	}
}
