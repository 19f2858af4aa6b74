package nemesis

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// pressures tell how much the machine had to spare.
type pressures struct {
	mu      sync.Mutex
	seconds int
	still   []time.Duration
}

// busy is the share of ten seconds in which some process waited for a CPU, in percent, from which on a second does not count.
const busy = 80

func (p *pressures) spared() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seconds
}

func (p *pressures) stalls() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.still
}

// second is one that went by, and how long it really took.
func (p *pressures) second(took time.Duration, waited float64) (still bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if took > 2*time.Second {
		p.still = append(p.still, took)
		return true
	}
	if waited < busy {
		p.seconds++
	}
	return false
}

// waited is what Linux tells of the last ten seconds; nothing elsewhere.
func waited() float64 {
	content, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(content), "avg10=")
	figure, _, _ := strings.Cut(rest, " ")
	percent, err := strconv.ParseFloat(figure, 64)
	if err != nil {
		return 0
	}
	return percent
}

// keep looks each second at the machine, and starts again what died by itself, as a cluster would. It ends with the context; the function
// it returns waits for that.
func (r *run) keep(ctx context.Context) (wait func()) {
	ctx, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		last := r.clock.Now()
		for beat := 0; ; beat++ {
			select {
			case <-ctx.Done():
				return
			case <-r.clock.After(time.Second):
			}
			now := r.clock.Now()
			percent := waited()
			if took := now.Sub(last); r.pressures.second(took, percent) || beat%10 == 0 {
				late := max(0, (took - time.Second).Milliseconds())
				r.note(ctx, history.Note{Kind: history.Pressure, Name: "cpu", Value: late, Text: strconv.Itoa(int(percent))})
			}
			last = now
		}
	})
	wg.Go(func() { r.revive(ctx) })
	return func() {
		end()
		wg.Wait()
	}
}

func (r *run) note(ctx context.Context, n history.Note) {
	if err := r.history.Note(ctx, n); err != nil && ctx.Err() == nil {
		fmt.Fprintln(r.Out, "a note is missing:", err)
	}
}

// Died is the fault of a process that ended unasked.
const Died = "died"

func (r *run) revive(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.clock.After(2 * time.Second):
		}
		units, err := r.lab.Status(ctx)
		if err != nil {
			continue
		}
		for _, u := range units {
			if u.State != lab.Failed {
				continue
			}
			r.note(ctx, history.Note{Kind: history.Fault, Name: Died, Target: u.Name, Text: u.Error})
			err := r.lab.Start(ctx, u.Name)
			ended := history.Note{Kind: history.Fault, Name: Died, Target: u.Name, Ends: true}
			if err != nil {
				ended.Text = err.Error()
			}
			r.note(ctx, ended)
		}
	}
}

// died is what ended by itself.
func died(h history.History) []string {
	var out []string
	for _, r := range h.Records {
		if n := r.Note; n != nil && n.Kind == history.Fault && n.Name == Died && !n.Ends {
			out = append(out, n.Target+": "+n.Text)
		}
	}
	return out
}

// servers is the CPU that etcd and the API servers that run took; nothing where the system does not tell.
func (r *run) servers(ctx context.Context) time.Duration {
	units, err := r.lab.Status(ctx)
	if err != nil {
		return 0
	}
	var sum time.Duration
	for _, u := range units {
		if u.PID > 0 && (u.Name == "etcd" || strings.HasSuffix(u.Name, "/apiserver")) {
			sum += cpu(u.PID)
		}
	}
	return sum
}

// cpu of a process: Linux counts it in hundredths of a second, in the fields 14 and 15 of its line, which come 12 and 13 after its name.
func cpu(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	var sum time.Duration
	for i, field := range strings.Fields(rest) {
		if i == 11 || i == 12 {
			ticks, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0
			}
			sum += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return sum
}

// harness is the CPU that this process took.
func harness() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
