package bench

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/probe"
)

var (
	probes       = flag.Int("probes", 10_000, "TestProbes: how many servers are asked")
	probesPeriod = flag.Int("probes-period", 10, "TestProbes: how often each is asked, in seconds")
	probesFor    = flag.Int("probes-seconds", 60, "TestProbes: for how long it is measured")
)

const (
	// probesLag and probesCores are the aims: how late a probe begins at the most, for 99 of 100, and processors in all.
	probesLag   = time.Second
	probesCores = 0.7
	// probesSet is how many servers a set has.
	probesSet = 100
)

// TestProbes measures the prober of argosy-member-manager: how late probes begin, and what they cost, with the answers to them in the same
// process. Then every server fails at once: it counts how many are thought sick, which none may be, for a prober that sees all of a set
// fail is blind. Real: TCP and HTTP over this host's loopback, a connection for each probe.
func TestProbes(t *testing.T) {
	Only(t)
	var sick atomic.Bool
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer service.Close()
	address, port, err := net.SplitHostPort(service.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	late := &lateness{}
	prober := probe.New(probe.Options{Tell: func(types.NamespacedName) {}, Lag: late.note})
	check := &v1alpha1.HealthCheck{
		HTTPGet: &v1alpha1.HTTPGetCheck{Port: int32(number), Path: "/healthz"}, PeriodSeconds: int32(*probesPeriod),
		TimeoutSeconds: 5, FailureThreshold: 1, SuccessThreshold: 1,
	}
	targets := make([]probe.Target, *probes)
	for i := range targets {
		targets[i] = probe.Target{
			UID: types.UID(fmt.Sprint("uid-", i)), Name: types.NamespacedName{Namespace: "default", Name: fmt.Sprint("web-", i)},
			Set: types.NamespacedName{Namespace: "default", Name: fmt.Sprint("set-", i/probesSet)}, Allowed: probesSet * 2 / 5,
			Address: address, Check: check, Epoch: "1", Verdict: probe.Healthy,
		}
		prober.Watch(targets[i])
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = prober.Start(ctx) }()
	period := time.Duration(*probesPeriod) * time.Second
	pass(t, 2*period) // connections, and a period to spread in
	late.take()
	before := cpu(t)
	pass(t, time.Duration(*probesFor)*time.Second)
	cores := (cpu(t) - before).Seconds() / float64(*probesFor)
	begun := late.take()
	asked, at99 := len(begun), begun.At(0.99)

	sick.Store(true)
	pass(t, 3*period)
	detached := 0
	for i := range targets {
		if o := prober.Watch(targets[i]); o.Verdict == probe.Unhealthy && o.Blind == "" {
			detached++
		}
	}
	fmt.Fprintf(os.Stdout, "\n### Health: %d servers, each asked every %s\n\n%s\n\n", *probes, period, machine())
	fmt.Fprintf(os.Stdout, "| | |\n|---|---|\n| probes in %d s | %d |\n| how late they begin, 99 of 100 | %s |\n"+
		"| processors, with those that answer | %.2f |\n| thought sick when all fail at once | %d |\n",
		*probesFor, asked, at99.Round(time.Millisecond), cores, detached)
	if at99 > probesLag {
		t.Errorf("probes begin up to %s late, the aim is %s", at99, probesLag)
	}
	if cores > probesCores {
		t.Errorf("it takes %.2f processors, the aim is %.2f", cores, probesCores)
	}
	if detached > 0 {
		t.Errorf("%d servers are thought sick by a blind prober", detached)
	}
}

// pass time.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// cpu this process has taken.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// lateness of probes.
type lateness struct {
	mu  sync.Mutex
	all Latencies
}

func (l *lateness) note(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

// take what was noted, and begin anew.
func (l *lateness) take() Latencies {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.all
	l.all = nil
	return out
}
