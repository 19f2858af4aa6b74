// Package machinetest is what every machine driver must do, as one suite.
package machinetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// Rig is a driver on a system that is empty for this test.
type Rig struct {
	Driver      machine.Driver
	Credentials map[string][]byte
	// Image that the system knows.
	Image string
	// Settle lets what the system has under way come to its end.
	Settle func()
	// Count is how many machines the system really has, beside what the driver says.
	Count func() int
	// Break the system: it answers nothing, or nonsense, until mend is called.
	Break func() (mend func())
}

// Run the suite; fresh makes a rig for each test.
func Run(t *testing.T, fresh func(*testing.T) Rig) {
	for name, test := range map[string]func(*testing.T, Rig){
		"one key makes one machine":                     oneKey,
		"many at once make one machine":                 atOnce,
		"what was never made is gone":                   neverMade,
		"stopped machines do not run":                   stopped,
		"a removed key makes no machine again":          removed,
		"a key removed before it was made makes none":   removedFirst,
		"a lower sequence is refused":                   fenced,
		"nonsense is refused for good":                  invalid,
		"who cannot be asked is not gone":               unanswered,
		"a list has the owner's own, and nobody else's": listed,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func (r Rig) call(key string, sequence int64) machine.Call {
	return machine.Call{Key: key, Sequence: sequence, Credentials: r.Credentials}
}

func (r Rig) spec(name string) machine.Spec {
	return machine.Spec{Owner: "owner-1", Name: name, Machine: v1alpha1.Machine{Driver: "any", Image: r.Image, Class: "small"}}
}

func (r Rig) ensure(t *testing.T, key string) machine.Machine {
	t.Helper()
	m, err := r.Driver.Ensure(t.Context(), r.call(key, 1), r.spec(key))
	if err != nil {
		t.Fatalf("ensuring %s: %v", key, err)
	}
	return m
}

func (r Rig) wantCount(t *testing.T, want int) {
	t.Helper()
	if have := r.Count(); have != want {
		t.Errorf("the system has %d machines, want %d", have, want)
	}
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func oneKey(t *testing.T, r Rig) {
	first := r.ensure(t, "a")
	r.Settle()
	second := r.ensure(t, "a")
	if first.ID == "" || first.ID != second.ID || second.Key != "a" {
		t.Errorf("first %+v, then %+v", first, second)
	}
	if second.State != v1alpha1.MachineRunning || len(second.Addresses) == 0 {
		t.Errorf("it does not run, or has no address: %+v", second)
	}
	seen, err := r.Driver.Get(t.Context(), r.call("a", 0))
	if err != nil || seen.ID != first.ID {
		t.Errorf("Get: %+v, %v", seen, err)
	}
	r.wantCount(t, 1)
	if other := r.ensure(t, "b"); other.ID == first.ID {
		t.Errorf("two keys have one machine: %+v", other)
	}
	r.wantCount(t, 2)
}

func atOnce(t *testing.T, r Rig) {
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := r.Driver.Ensure(context.WithoutCancel(t.Context()), r.call("a", 1), r.spec("a")); err != nil {
				t.Errorf("ensuring: %v", err)
			}
		})
	}
	all.Wait()
	r.wantCount(t, 1)
}

func neverMade(t *testing.T, r Rig) {
	_, err := r.Driver.Get(t.Context(), r.call("a", 0))
	wantError(t, "Get", err, machine.ErrGone)
	wantError(t, "Stop", r.Driver.Stop(t.Context(), r.call("a", 1)), machine.ErrGone)
}

func stopped(t *testing.T, r Rig) {
	r.ensure(t, "a")
	r.Settle()
	for range 2 {
		if err := r.Driver.Stop(t.Context(), r.call("a", 1)); err != nil {
			t.Fatalf("Stop: %v", err)
		}
		r.Settle()
	}
	seen, err := r.Driver.Get(t.Context(), r.call("a", 0))
	if err != nil || seen.State != v1alpha1.MachineStopped {
		t.Errorf("Get: %+v, %v", seen, err)
	}
}

func removed(t *testing.T, r Rig) {
	r.ensure(t, "a")
	r.Settle()
	for range 2 {
		if err := r.Driver.Delete(t.Context(), r.call("a", 1)); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		r.Settle()
	}
	_, err := r.Driver.Get(t.Context(), r.call("a", 0))
	wantError(t, "Get", err, machine.ErrGone)
	_, err = r.Driver.Ensure(t.Context(), r.call("a", 1), r.spec("a"))
	wantError(t, "Ensure", err, machine.ErrGone)
	r.wantCount(t, 0)
}

// removedFirst: a creation that was on its way when its server was deleted comes too late.
func removedFirst(t *testing.T, r Rig) {
	if err := r.Driver.Delete(t.Context(), r.call("a", 2)); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	_, err := r.Driver.Ensure(t.Context(), r.call("a", 2), r.spec("a"))
	wantError(t, "Ensure", err, machine.ErrGone)
	r.wantCount(t, 0)
}

func fenced(t *testing.T, r Rig) {
	ctx := t.Context()
	if _, err := r.Driver.Ensure(ctx, r.call("a", 7), r.spec("a")); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
	r.Settle()
	_, err := r.Driver.Ensure(ctx, r.call("a", 6), r.spec("a"))
	wantError(t, "Ensure", err, machine.ErrFenced)
	wantError(t, "Stop", r.Driver.Stop(ctx, r.call("a", 6)), machine.ErrFenced)
	wantError(t, "Delete", r.Driver.Delete(ctx, r.call("a", 6)), machine.ErrFenced)
	if seen, err := r.Driver.Get(ctx, r.call("a", 0)); err != nil || seen.State != v1alpha1.MachineRunning {
		t.Errorf("Get: %+v, %v", seen, err)
	}
	if err := r.Driver.Stop(ctx, r.call("a", 7)); err != nil {
		t.Errorf("of the same holder: %v", err)
	}
}

func invalid(t *testing.T, r Rig) {
	spec := r.spec("a")
	spec.Image = "no-such-image"
	_, err := r.Driver.Ensure(t.Context(), r.call("a", 1), spec)
	wantError(t, "Ensure", err, machine.ErrInvalid)
	r.wantCount(t, 0)
}

func unanswered(t *testing.T, r Rig) {
	r.ensure(t, "a")
	r.Settle()
	mend := r.Break()
	_, err := r.Driver.Get(t.Context(), r.call("a", 0))
	for what, err := range map[string]error{"Get": err, "Stop": r.Driver.Stop(t.Context(), r.call("a", 1))} {
		if err == nil {
			t.Errorf("%s of a broken system: no error", what)
		}
		for _, sure := range []error{machine.ErrGone, machine.ErrInvalid, machine.ErrFenced} {
			if errors.Is(err, sure) {
				t.Errorf("%s of a broken system knows: %v", what, err)
			}
		}
	}
	mend()
	if seen, err := r.Driver.Get(t.Context(), r.call("a", 0)); err != nil || seen.State != v1alpha1.MachineRunning {
		t.Errorf("mended: %+v, %v", seen, err)
	}
}

func listed(t *testing.T, r Rig) {
	lister, ok := r.Driver.(machine.Lister)
	if !ok {
		t.Skip("this driver names no machines, which it need not")
	}
	for i := range 120 {
		r.ensure(t, fmt.Sprintf("a%03d", i))
	}
	other := r.spec("other")
	other.Owner = "owner-2"
	if _, err := r.Driver.Ensure(t.Context(), r.call("other", 1), other); err != nil {
		t.Fatal(err)
	}
	r.Settle()
	list, err := lister.List(t.Context(), r.call("", 0), "owner-1")
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, m := range list {
		keys[m.Key] = true
	}
	if len(list) != 120 || len(keys) != 120 || keys["other"] {
		t.Errorf("%d machines of %d keys", len(list), len(keys))
	}
}
