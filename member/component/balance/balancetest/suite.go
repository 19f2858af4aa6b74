// Package balancetest is what every driver of load balancers must do, as one suite.
package balancetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/argosy-dev/argosy/member/component/balance"
)

// Rig is a driver on a provider that is empty for this test.
type Rig struct {
	Driver balance.Driver
	// Settle lets what the provider has under way come to its end.
	Settle func()
	// Targets that the provider really sends to, by key; false: there is no such load balancer.
	Targets func(key string) ([]string, bool)
	// Made is how many load balancers the provider ever made.
	Made func() int
	// Refused are params that the provider never takes.
	Refused map[string]string
	// Break the provider: it answers nothing, or nonsense, until mend is called.
	Break func() (mend func())
}

// Run the suite; fresh makes a rig for each test.
func Run(t *testing.T, fresh func(*testing.T) Rig) {
	for name, test := range map[string]func(*testing.T, Rig){
		"one key makes one load balancer":             oneKey,
		"many at once make one load balancer":         atOnce,
		"the last word counts, as a whole":            changed,
		"no target is a target of nobody":             noTarget,
		"what was never made is gone":                 neverMade,
		"a removed key makes none again":              removed,
		"a key removed before it was made makes none": removedFirst,
		"nonsense is refused for good":                invalid,
		"who cannot be asked is not gone":             unanswered,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// Spec of a plain load balancer.
func Spec(targets ...string) balance.Spec {
	return balance.Spec{
		Owner: "owner-1", Name: "shop/cart-slb", Targets: targets,
		Ports: []balance.Port{{Name: "http", Protocol: "TCP", Port: 80, NodePort: 30080}},
	}
}

func (r Rig) ensure(t *testing.T, key string, spec balance.Spec) balance.Balancer {
	t.Helper()
	out, err := r.Driver.Ensure(t.Context(), key, spec)
	if err != nil {
		t.Fatalf("ensuring %s: %v", key, err)
	}
	return out
}

func (r Rig) wantTargets(t *testing.T, key string, want ...string) {
	t.Helper()
	if have, there := r.Targets(key); !there || !slices.Equal(have, want) {
		t.Errorf("the provider sends to %q (there: %t), want %q", have, there, want)
	}
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func oneKey(t *testing.T, r Rig) {
	first := r.ensure(t, "a", Spec("10.0.0.1"))
	r.Settle()
	second := r.ensure(t, "a", Spec("10.0.0.1"))
	if first.ID == "" || first.ID != second.ID || second.Key != "a" {
		t.Errorf("first %+v, then %+v", first, second)
	}
	if second.State != balance.Active || len(second.Addresses) == 0 {
		t.Errorf("it is not active, or has no address: %+v", second)
	}
	seen, err := r.Driver.Get(t.Context(), "a")
	if err != nil || seen.ID != first.ID || !slices.Equal(seen.Addresses, second.Addresses) {
		t.Errorf("Get: %+v, %v", seen, err)
	}
	if other := r.ensure(t, "b", Spec("10.0.0.1")); other.ID == first.ID {
		t.Errorf("two keys have one load balancer: %+v", other)
	}
	if made := r.Made(); made != 2 {
		t.Errorf("the provider made %d, want 2", made)
	}
}

func atOnce(t *testing.T, r Rig) {
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := r.Driver.Ensure(context.WithoutCancel(t.Context()), "a", Spec("10.0.0.1")); err != nil {
				t.Errorf("ensuring: %v", err)
			}
		})
	}
	all.Wait()
	if made := r.Made(); made != 1 {
		t.Errorf("the provider made %d, want 1", made)
	}
}

func changed(t *testing.T, r Rig) {
	before := r.ensure(t, "a", Spec("10.0.0.1", "10.0.0.2"))
	r.Settle()
	after := r.ensure(t, "a", Spec("10.0.0.2", "10.0.0.3"))
	r.Settle()
	if before.ID != after.ID {
		t.Errorf("a change made another: %+v, then %+v", before, after)
	}
	r.wantTargets(t, "a", "10.0.0.2", "10.0.0.3")
}

func noTarget(t *testing.T, r Rig) {
	r.ensure(t, "a", Spec("10.0.0.1"))
	r.Settle()
	out := r.ensure(t, "a", Spec())
	r.Settle()
	r.wantTargets(t, "a")
	if out.Healthy != nil && *out.Healthy != 0 {
		t.Errorf("%d of no targets are well", *out.Healthy)
	}
}

func neverMade(t *testing.T, r Rig) {
	_, err := r.Driver.Get(t.Context(), "a")
	wantError(t, "Get", err, balance.ErrGone)
}

func removed(t *testing.T, r Rig) {
	r.ensure(t, "a", Spec("10.0.0.1"))
	r.Settle()
	for range 2 {
		if err := r.Driver.Delete(t.Context(), "a"); err != nil && !errors.Is(err, balance.ErrGone) {
			t.Fatalf("Delete: %v", err)
		}
		r.Settle()
	}
	_, err := r.Driver.Get(t.Context(), "a")
	wantError(t, "Get", err, balance.ErrGone)
	_, err = r.Driver.Ensure(t.Context(), "a", Spec("10.0.0.1"))
	wantError(t, "Ensure", err, balance.ErrGone)
	if _, there := r.Targets("a"); there {
		t.Error("the provider has it still")
	}
}

// removedFirst: a request that was on its way when its Service was deleted comes too late.
func removedFirst(t *testing.T, r Rig) {
	if err := r.Driver.Delete(t.Context(), "a"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	_, err := r.Driver.Ensure(t.Context(), "a", Spec("10.0.0.1"))
	wantError(t, "Ensure", err, balance.ErrGone)
	if made := r.Made(); made != 0 {
		t.Errorf("the provider made %d, want none", made)
	}
}

func invalid(t *testing.T, r Rig) {
	spec := Spec("10.0.0.1")
	spec.Params = r.Refused
	_, err := r.Driver.Ensure(t.Context(), "a", spec)
	wantError(t, "Ensure", err, balance.ErrInvalid)
	if made := r.Made(); made != 0 {
		t.Errorf("the provider made %d, want none", made)
	}
}

func unanswered(t *testing.T, r Rig) {
	r.ensure(t, "a", Spec("10.0.0.1"))
	r.Settle()
	mend := r.Break()
	_, err := r.Driver.Get(t.Context(), "a")
	_, ensured := r.Driver.Ensure(t.Context(), "a", Spec("10.0.0.1"))
	for what, err := range map[string]error{"Get": err, "Ensure": ensured, "Delete": r.Driver.Delete(t.Context(), "a")} {
		if err == nil {
			t.Errorf("%s of a broken provider: no error", what)
		}
		for _, sure := range []error{balance.ErrGone, balance.ErrInvalid} {
			if errors.Is(err, sure) {
				t.Errorf("%s of a broken provider knows: %v", what, err)
			}
		}
	}
	mend()
	if seen, err := r.Driver.Get(t.Context(), "a"); err != nil || seen.State != balance.Active {
		t.Errorf("mended: %+v, %v", seen, err)
	}
}
