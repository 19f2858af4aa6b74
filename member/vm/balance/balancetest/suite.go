// Package balancetest is what every driver of load balancers must do, as one suite.
package balancetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/member/vm/balance"
)

// Rig is a driver on a load balancer that is empty for this test, but for what others have in it.
type Rig struct {
	Driver balance.Driver
	Pool   balance.Pool
	// Addresses that the load balancer takes, at least three; each of a backend that answers, where Traffic is there.
	Addresses []string
	Port      int32
	// Weights says that the load balancer knows them; else a member has weight 100 or 0.
	Weights bool
	// Others are what is in the pool that is not ours, in words: the suite must leave it as it is.
	Others func() string
	// Break the load balancer: it answers nothing, until mend is called.
	Break func() (mend func())
	// Restart the load balancer, which may lose what it was told at run time; nil: there is no such thing.
	Restart func()
	// Traffic sends requests through the pool and counts them by member's address; nil: there is no data path in this rig.
	Traffic func(requests int) map[string]int
	// Nowhere is the name of a pool that there is none of.
	Nowhere string
}

// Run the suite; fresh makes a rig for each test.
func Run(t *testing.T, fresh func(*testing.T) Rig) {
	for name, test := range map[string]func(*testing.T, Rig){
		"members come, change and go":                 come,
		"what is told again changes nothing":          again,
		"a changed address is another member":         moved,
		"owners do not touch each other's":            owners,
		"one that cannot be taken keeps out no other": oneBad,
		"no such pool": nowhere,
		"names that are none are refused for good": named,
		"who cannot be asked knows nothing":        unanswered,
		"after a restart all are there again":      restarted,
		"weights are shares of the requests":       weights,
		"who drains or has no weight gets nothing": silent,
		"many members": many,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func (r Rig) member(i int, weight int32) balance.Member {
	return balance.Member{ID: fmt.Sprintf("web-%d.public", i), Address: r.Addresses[i], Port: r.Port, Weight: weight}
}

func (r Rig) ensure(t *testing.T, members ...balance.Member) {
	t.Helper()
	if err := r.Driver.Ensure(t.Context(), r.Pool, members); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
}

// want what the pool shows to be these.
func (r Rig) want(t *testing.T, members ...balance.Member) {
	t.Helper()
	seen, err := r.Driver.Observe(t.Context(), r.Pool)
	if err != nil {
		t.Fatalf("Observe: %v", err)
	}
	var want []balance.Seen
	for _, m := range members {
		if !r.Weights && m.Weight > 0 {
			m.Weight = 100
		}
		want = append(want, balance.Seen{Member: m})
	}
	slices.SortFunc(want, func(a, b balance.Seen) int { return cmp.Compare(a.ID, b.ID) })
	if diff := gocmp.Diff(want, seen); diff != "" {
		t.Errorf("the pool (-want +seen):\n%s", diff)
	}
}

func come(t *testing.T, r Rig) {
	others := r.Others()
	r.want(t)
	a, b, c := r.member(0, 100), r.member(1, 100), r.member(2, 20)
	r.ensure(t, a)
	r.want(t, a)
	r.ensure(t, a, b, c)
	r.want(t, a, b, c)
	c.Weight, b.Draining = 100, true
	r.ensure(t, a, b, c)
	r.want(t, a, b, c)
	b.Draining, a.Weight = false, 0
	r.ensure(t, a, b, c)
	r.want(t, a, b, c)
	r.ensure(t, c)
	r.want(t, c)
	r.ensure(t)
	r.want(t)
	if now := r.Others(); now != others {
		t.Errorf("what is not ours was %q and is %q", others, now)
	}
}

func again(t *testing.T, r Rig) {
	a, b := r.member(0, 100), r.member(1, 20)
	b.Draining = true
	for range 3 {
		r.ensure(t, a, b)
		r.want(t, a, b)
	}
	for range 2 {
		r.ensure(t)
		r.want(t)
	}
}

func moved(t *testing.T, r Rig) {
	a := r.member(0, 100)
	r.ensure(t, a)
	a.Address = r.Addresses[1]
	r.ensure(t, a)
	r.want(t, a)
	a.Port++
	r.ensure(t, a)
	r.want(t, a)
}

func owners(t *testing.T, r Rig) {
	other := r
	other.Pool.Owner = r.Pool.Owner + "-2"
	ours, theirs := r.member(0, 100), r.member(0, 50)
	theirs.Address = r.Addresses[1]
	r.ensure(t, ours)
	other.ensure(t, theirs)
	r.want(t, ours)
	other.want(t, theirs)
	r.ensure(t)
	r.want(t)
	other.want(t, theirs)
	other.ensure(t)
}

func oneBad(t *testing.T, r Rig) {
	good := r.member(0, 100)
	for _, address := range []string{"", "web.example.com", "10.0.0.1:80", "10.0.0.256", "10.0.0.1; shutdown"} {
		bad := r.member(1, 100)
		bad.Address = address
		err := r.Driver.Ensure(t.Context(), r.Pool, []balance.Member{bad, good})
		if !errors.Is(err, balance.ErrInvalid) {
			t.Errorf("address %q: %v", address, err)
		}
		r.want(t, good)
	}
}

func nowhere(t *testing.T, r Rig) {
	r.Pool.Name = r.Nowhere
	if err := r.Driver.Ensure(t.Context(), r.Pool, []balance.Member{r.member(0, 100)}); !errors.Is(err, balance.ErrNoPool) {
		t.Errorf("Ensure: %v", err)
	}
	if err := r.Driver.Ensure(t.Context(), r.Pool, nil); err != nil {
		t.Errorf("Ensure of nothing: %v", err)
	}
	if _, err := r.Driver.Observe(t.Context(), r.Pool); !errors.Is(err, balance.ErrNoPool) {
		t.Errorf("Observe: %v", err)
	}
}

func named(t *testing.T, r Rig) {
	for _, name := range []string{"", "a b", "a;b", "a\nb", "../a"} {
		pool := r.Pool
		pool.Name = name
		if err := r.Driver.Ensure(t.Context(), pool, []balance.Member{r.member(0, 100)}); !errors.Is(err, balance.ErrInvalid) {
			t.Errorf("Ensure of %q: %v", name, err)
		}
		if _, err := r.Driver.Observe(t.Context(), pool); !errors.Is(err, balance.ErrInvalid) {
			t.Errorf("Observe of %q: %v", name, err)
		}
	}
}

func unanswered(t *testing.T, r Rig) {
	a := r.member(0, 100)
	r.ensure(t, a)
	mend := r.Break()
	_, err := r.Driver.Observe(t.Context(), r.Pool)
	for what, err := range map[string]error{"Ensure": r.Driver.Ensure(t.Context(), r.Pool, nil), "Observe": err} {
		if err == nil {
			t.Errorf("%s of a broken load balancer: no error", what)
		}
		if errors.Is(err, balance.ErrNoPool) || errors.Is(err, balance.ErrInvalid) {
			t.Errorf("%s of a broken load balancer knows: %v", what, err)
		}
	}
	mend()
	r.ensure(t, a)
	r.want(t, a)
}

func restarted(t *testing.T, r Rig) {
	if r.Restart == nil {
		return // what it is told it keeps
	}
	a, b := r.member(0, 100), r.member(1, 20)
	b.Draining = true
	r.ensure(t, a, b)
	r.Restart()
	r.want(t)
	r.ensure(t, a, b)
	r.want(t, a, b)
}

func weights(t *testing.T, r Rig) {
	if r.Traffic == nil || !r.Weights {
		return
	}
	a, b := r.member(0, 100), r.member(1, 20)
	r.ensure(t, a, b)
	const each = 1200
	seen := r.Traffic(each)
	// 100 to 20 of 1200; what is counted is spread in turns, not by chance, so it is near.
	if n := seen[b.Address]; n < 180 || n > 220 || seen[a.Address]+n != each {
		t.Errorf("of %d requests: %v", each, seen)
	}
	b.Weight = 100
	r.ensure(t, a, b)
	if n := r.Traffic(each)[b.Address]; n < 570 || n > 630 {
		t.Errorf("of equal weights it got %d of %d", n, each)
	}
}

func silent(t *testing.T, r Rig) {
	if r.Traffic == nil {
		return
	}
	a, b, c := r.member(0, 100), r.member(1, 100), r.member(2, 0)
	b.Draining = true
	r.ensure(t, a, b, c)
	if seen := r.Traffic(30); seen[a.Address] != 30 {
		t.Errorf("of 30 requests: %v", seen)
	}
	b.Draining, a.Draining = false, true
	r.ensure(t, a, b)
	if seen := r.Traffic(30); seen[b.Address] != 30 {
		t.Errorf("of 30 requests: %v", seen)
	}
}

func many(t *testing.T, r Rig) {
	var members []balance.Member
	for i := range 250 {
		m := r.member(0, 100)
		m.ID, m.Address = fmt.Sprintf("web-%d.public", i), fmt.Sprintf("10.77.%d.%d", i/200, 1+i%200)
		members = append(members, m)
	}
	r.ensure(t, members...)
	r.want(t, members...)
	r.ensure(t, members[200:]...)
	r.want(t, members[200:]...)
	r.ensure(t)
	r.want(t)
}
