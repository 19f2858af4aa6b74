package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/test/lab/process"
)

// diary keeps the order in which units became ready.
type diary struct {
	lock    sync.Mutex
	entries []string
}

func (d *diary) changed(name string, state State, _ error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.entries = append(d.entries, name+" "+string(state))
}

func (d *diary) index(entry string) int {
	d.lock.Lock()
	defer d.lock.Unlock()
	return slices.Index(d.entries, entry)
}

func sleeper(t *testing.T, name string) *process.Spec {
	t.Helper()
	return &process.Spec{Name: name, Path: "/bin/sleep", Args: []string{"600"}, Log: filepath.Join(t.TempDir(), "log")}
}

func TestRunnerKeepsOrder(t *testing.T) {
	var d diary
	r := newRunner([]unit{
		{Name: "m/c", After: []string{"m/b"}, Process: sleeper(t, "m/c")},
		{Name: "m/b", After: []string{"m/a"}},
		{Name: "m/a", Process: sleeper(t, "m/a")},
	}, d.changed)
	t.Cleanup(r.close)
	if err := r.start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if a, b, c := d.index("m/a ready"), d.index("m/b ready"), d.index("m/c ready"); a < 0 || a > b || b > c {
		t.Errorf("ready in the order %v", d.entries)
	}
}

// A death must end the start with its own cause, not with the timeout of who waits for it.
func TestRunnerGivesUpWithTheCause(t *testing.T) {
	dead := &process.Spec{
		Name: "m/manager", Path: "/bin/sh", Args: []string{"-c", "echo two members have one port; exit 1"},
		Log:   filepath.Join(t.TempDir(), "log"),
		Ready: func(context.Context) error { return errors.New("no answer") },
	}
	for name, tc := range map[string]struct {
		units []unit
		want  string
	}{
		"a process dies": {
			units: []unit{
				{Name: "m/manager", Process: dead},
				{Name: "m/join", Check: func(context.Context) error { return errors.New("no token") }},
			},
			want: "two members have one port",
		},
		"a preparation fails": {
			units: []unit{
				{Name: "m/a", Prepare: func(context.Context) error { return errors.New("no such CRD") }},
				{Name: "m/b", After: []string{"m/a"}, Process: sleeper(t, "m/b")},
			},
			want: "preparing m/a: no such CRD",
		},
		"a check never holds": {
			units: []unit{
				{Name: "m/a", Check: func(context.Context) error { return errors.New("0 of 5 nodes") }, CheckWithin: 200 * time.Millisecond},
			},
			want: "m/a is not ready after 200ms: 0 of 5 nodes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(tc.units, func(string, State, error) {})
			t.Cleanup(r.close)
			if err := r.start(t.Context(), ""); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestRunnerForgivesADeathAtStart(t *testing.T) {
	for name, tc := range map[string]struct {
		deaths, forgiven int
		want             string
	}{
		"none to forgive":     {forgiven: 1},
		"as many as forgiven": {deaths: 1, forgiven: 1},
		"one more":            {deaths: 2, forgiven: 1, want: "m/manager died (exit status 2)"},
	} {
		t.Run(name, func(t *testing.T) {
			lives, served := filepath.Join(t.TempDir(), "lives"), filepath.Join(t.TempDir(), "served")
			script := fmt.Sprintf("echo x >>%[1]s; [ $(wc -l <%[1]s) -gt %[2]d ] || exit 2; touch %[3]s; exec sleep 600", lives, tc.deaths, served)
			r := newRunner([]unit{{Name: "m/manager", Deaths: tc.forgiven, Process: &process.Spec{
				Name: "m/manager", Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "log"),
				Ready: func(context.Context) error { _, err := os.Stat(served); return err },
			}}}, func(string, State, error) {})
			t.Cleanup(r.close)
			err := r.start(t.Context(), "")
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestRunnerStopsAndStartsAPlane(t *testing.T) {
	prepared := 0
	r := newRunner([]unit{
		{Name: "etcd", Process: sleeper(t, "etcd")},
		{Name: "m1/a", After: []string{"etcd"}, Process: sleeper(t, "m1/a"), Prepare: func(context.Context) error { prepared++; return nil }},
		{Name: "m1/b", After: []string{"m1/a"}, Process: sleeper(t, "m1/b")},
		{Name: "m10/a", Process: sleeper(t, "m10/a")},
	}, func(string, State, error) {})
	t.Cleanup(r.close)
	if err := r.start(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	r.stop("m1")
	want := map[string]State{"etcd": Ready, "m1/a": Stopped, "m1/b": Stopped, "m10/a": Ready}
	if diff := cmp.Diff(want, states(r)); diff != "" {
		t.Errorf("after stop (-want +got):\n%s", diff)
	}
	if err := r.start(t.Context(), "m1"); err != nil {
		t.Fatal(err)
	}
	want["m1/a"], want["m1/b"] = Ready, Ready
	if diff := cmp.Diff(want, states(r)); diff != "" {
		t.Errorf("after start (-want +got):\n%s", diff)
	}
	if prepared != 1 {
		t.Errorf("prepared %d times, want once", prepared)
	}
	if err := r.check("m2"); err == nil || !strings.Contains(err.Error(), "m10/a") {
		t.Errorf("got %v, want what there is", err)
	}
}

func TestRunnerStartsNothingOnceClosed(t *testing.T) {
	r := newRunner([]unit{{Name: "a", Process: sleeper(t, "a")}}, func(string, State, error) {})
	r.close()
	if err := r.start(t.Context(), ""); err == nil {
		t.Error("a closed lab started a process")
	}
}

func states(r *runner) map[string]State {
	out := map[string]State{}
	for _, u := range r.status() {
		out[u.Name] = u.State
	}
	return out
}

// The lab's own list must name only units that exist: a dependency on nothing would wait for ever.
func TestPlannedUnitsAreWhole(t *testing.T) {
	w := &workspace{dir: t.TempDir(), clock: clock.RealClock{}}
	if err := w.makeCertificates(); err != nil {
		t.Fatal(err)
	}
	k := &karmadaPlane{workspace: w}
	m := &member{workspace: w, name: "member1", karmada: k, options: DefaultOptions()}
	units := append([]unit{{Name: "etcd"}}, k.units()...)
	units = append(units, m.units()...)
	names := map[string]bool{}
	for _, u := range units {
		if names[u.Name] {
			t.Errorf("two units are called %s", u.Name)
		}
		names[u.Name] = true
	}
	for _, p := range (&argosy{karmadaPlane: k}).parts() {
		units = append(units, unit{Name: p.name, After: p.after})
	}
	for _, u := range units {
		for _, after := range u.After {
			if !names[after] {
				t.Errorf("%s waits for %s, which does not exist", u.Name, after)
			}
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"the default":     {func(*Options) {}, ""},
		"no members":      {func(o *Options) { o.Nodes = nil }, "--members"},
		"too many":        {func(o *Options) { o.Nodes = make([]int, 21) }, "at most 20"},
		"negative nodes":  {func(o *Options) { o.Nodes = []int{3, -1} }, "member2 cannot have -1 nodes"},
		"one pulls":       {func(o *Options) { o.Pull = []string{"member3"} }, ""},
		"nobody pulls":    {func(o *Options) { o.Pull = []string{"member4"} }, "only member1, member2, member3"},
		"a port too high": {func(o *Options) { o.APIServerPort = 65536 }, "--apiserver-port 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			o := DefaultOptions()
			tc.change(&o)
			err := o.Validate()
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
