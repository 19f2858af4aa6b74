package probe

import (
	"fmt"
	"time"

	"k8s.io/utils/ptr"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Verdict about a server.
type Verdict string

// The verdicts.
const (
	// NotKnown: it was not asked yet, or may still be coming up.
	NotKnown Verdict = "NotKnown"
	// Healthy: successThreshold probes in a row passed.
	Healthy Verdict = "Healthy"
	// Unhealthy: failureThreshold probes in a row failed.
	Unhealthy Verdict = "Unhealthy"
)

// Result of one probe.
type Result struct {
	Passed  bool
	Message string
	// Due is when it should have begun, and Started when it did.
	Due, Started time.Time
}

// Watch is what the probes of one server said since it last changed: another release, boot, address or check is another watch.
type Watch struct {
	// Since is when it began.
	Since time.Time
	// Passed and Failed are probes in a row; one of them is 0.
	Passed, Failed int32
	// FailingSince is when the first of the failed ones began.
	FailingSince time.Time
	// Asked is when the last probe began; zero: there was none.
	Asked   time.Time
	Verdict Verdict
	// Up says that it was healthy before: the grace of its start is over.
	Up      bool
	Message string
}

// Begin a watch.
func Begin(now time.Time) Watch { return Watch{Since: now, Verdict: NotKnown} }

// Resume the watch that a process before this one kept: its verdict holds until the probes say otherwise. up says that it is known to have
// passed before, whatever the verdict is.
func Resume(verdict Verdict, up bool, now time.Time) Watch {
	return Watch{Since: now, Verdict: verdict, Up: up || verdict != NotKnown}
}

// Note a result. A failure seen by a prober that was late by a whole period says more of the prober than of the server.
func (w Watch) Note(check *v1alpha1.HealthCheck, r Result) Watch {
	if !r.Passed && r.Started.Sub(r.Due) > time.Duration(check.PeriodSeconds)*time.Second {
		return w
	}
	w.Asked, w.Message = r.Started, r.Message
	if r.Passed {
		w.Failed, w.FailingSince = 0, time.Time{}
		if w.Passed++; w.Verdict == Healthy || w.Passed >= max(1, check.SuccessThreshold) {
			w.Verdict, w.Up = Healthy, true
		}
		return w
	}
	w.Passed = 0
	if w.Failed++; w.Failed == 1 {
		w.FailingSince = r.Started
	}
	grace := w.Since.Add(time.Duration(ptr.Deref(check.StartupSeconds, 60)) * time.Second)
	if w.Failed >= max(1, check.FailureThreshold) && (w.Up || !r.Started.Before(grace)) {
		w.Verdict = Unhealthy
	}
	return w
}

// failing says that the last probe failed of a server that was up.
func (w Watch) failing() bool { return w.Verdict == Unhealthy || w.Up && w.Failed > 0 }

// Blind says why the verdicts about one set's servers are not trusted; empty: they are. At most allowed servers may fail at once, and one
// always may.
func Blind(watches []Watch, allowed int) string {
	failing := 0
	var first time.Time
	for _, w := range watches {
		if !w.failing() {
			continue
		}
		failing++
		if !w.FailingSince.IsZero() && (first.IsZero() || w.FailingSince.Before(first)) {
			first = w.FailingSince
		}
	}
	if bar := max(1, allowed); failing > bar {
		return fmt.Sprintf("%d of %d servers fail their health check, and %d may at once", failing, len(watches), bar)
	}
	if failing == 0 {
		return ""
	}
	for _, w := range watches {
		if w.Asked.IsZero() || w.Asked.Before(first) {
			return "not all servers were asked since the first of them failed"
		}
	}
	return ""
}
