package shard

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// length of every Lease of the model.
const length = 15 * time.Second

// component is one version of what the API server stores.
type component struct{ wanted, owner, next string }

// plane is the API server: every version that ever was, of the Component and of each Lease. A cache may show any of them.
type plane struct {
	now        time.Time
	components []component
	leases     map[string][]Lease
}

func (p *plane) live() component { return p.components[len(p.components)-1] }

// write rests on the version that was read; false: a conflict.
func (p *plane) write(version int, change func(*component)) bool {
	if version != len(p.components)-1 {
		return false
	}
	next := p.live()
	change(&next)
	p.components = append(p.components, next)
	return true
}

// controller is one process, which is killed, paused, and shown old things.
type controller struct {
	id    string
	alive bool
	// version of the Component, and of each Lease, that its cache shows.
	version int
	leases  map[string]int
	seen    Observed
	// confirmed that it is the owner, and about to act: another step of its own comes only after that.
	confirmed, acting bool
	// skew of its wall clock.
	skew time.Duration
}

// broken leaves one of the protections out, to see that the model would find it.
type broken struct{ unconfirmed, unfresh, impatient, blind bool }

func (c *controller) start(t *rapid.T, p *plane) {
	*c = controller{id: c.id, alive: true, seen: Observed{}, leases: map[string]int{}, skew: c.skew}
	// A new cache begins anywhere.
	c.version = rapid.IntRange(0, len(p.components)-1).Draw(t, "cached")
	for id, leases := range p.leases {
		c.leases[id] = rapid.IntRange(0, len(leases)-1).Draw(t, "cached lease")
	}
}

// catchUp shows newer things, or, of a watch that begins anew at another API server, older ones.
func (c *controller) catchUp(t *rapid.T, p *plane) {
	oldest := c.version
	if rapid.IntRange(0, 3).Draw(t, "anew") == 0 {
		oldest = 0
	}
	c.version = rapid.IntRange(oldest, len(p.components)-1).Draw(t, "version")
	for id, leases := range p.leases {
		c.leases[id] = rapid.IntRange(c.leases[id], len(leases)-1).Draw(t, "lease")
		c.seen.See(id, leases[c.leases[id]], length, p.now)
	}
}

// renew its own Lease. One whose Lease has run out by its own clock ends, as leader election does.
func (c *controller) renew(p *plane) {
	own := p.leases[c.id]
	last := own[len(own)-1]
	if last.Stamp != "" && !last.Fresh(p.now.Add(c.skew)) && c.confirmed {
		c.alive = false
		return
	}
	p.leases[c.id] = append(own, Lease{Stamp: strconv.Itoa(len(own)), Renewed: p.now.Add(c.skew), Length: length})
}

// fresh by the Lease that its cache shows: an old one only makes it stop earlier.
func (c *controller) fresh(p *plane, b broken) bool {
	return b.unfresh || p.leases[c.id][c.leases[c.id]].Fresh(p.now.Add(c.skew))
}

// step is one look at the Component. It says what is wrong.
func (c *controller) step(p *plane, b broken) string {
	if c.acting {
		c.acting = false
		if !c.fresh(p, b) {
			return ""
		}
		if owner := p.live().owner; owner != c.id {
			return fmt.Sprintf("%s acts, and %s is the owner", c.id, owner)
		}
		return ""
	}
	cached := p.components[c.version]
	in := Input{
		Self: c.id, Wanted: cached.wanted, Owner: cached.owner, Next: cached.next, Fresh: c.fresh(p, b), Dead: c.seen.Dead(cached.owner, p.now),
	}
	if b.impatient {
		in.Dead = true
	}
	switch Decide(in) {
	case Act:
		if !c.confirmed && (b.unconfirmed || p.live().owner == c.id) {
			c.confirmed = true
		}
		c.acting = c.confirmed
	case Ask:
		p.write(c.version, func(o *component) { o.next = c.id })
	case HandOver:
		if p.write(c.version, func(o *component) { o.owner, o.next = in.Next, "" }) {
			c.confirmed = b.blind
		}
	case Take:
		if p.write(c.version, func(o *component) { o.owner, o.next = c.id, "" }) {
			c.confirmed = true
		}
	}
	return ""
}

// happen is one event of the world.
func happen(t *rapid.T, p *plane, controllers []*controller, b broken) string {
	c := controllers[rapid.IntRange(0, len(controllers)-1).Draw(t, "controller")]
	switch rapid.IntRange(0, 7).Draw(t, "event") {
	case 0:
		p.now = p.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "seconds")) * time.Second)
	case 1:
		p.write(len(p.components)-1, func(o *component) {
			o.wanted = rapid.SampledFrom([]string{"", "a", "b", DefaultID, "mistyped"}).Draw(t, "wanted")
		})
	case 2:
		if rapid.IntRange(0, 3).Draw(t, "killed") == 0 {
			c.alive = false
		} else if !c.alive {
			c.start(t, p)
		}
	case 3:
		if c.alive { // paused ones do not
			c.renew(p)
		}
	case 4, 5:
		if c.alive {
			c.catchUp(t, p)
		}
	default:
		if c.alive {
			return c.step(p, b)
		}
	}
	return ""
}

func newPlane(t *rapid.T) (*plane, []*controller) {
	p := &plane{
		now: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC), components: []component{{}},
		leases: map[string][]Lease{"": {{}}, "mistyped": {{}}},
	}
	var out []*controller
	for _, id := range []string{DefaultID, "a", "b"} {
		p.leases[id] = []Lease{{}}
		out = append(out, &controller{id: id, skew: time.Duration(rapid.IntRange(-7200, 7200).Draw(t, "skew")) * time.Second})
	}
	for _, c := range out {
		c.start(t, p)
	}
	return p, out
}

// TestNeverTwoOwners: whoever acts is the owner at that moment, in whatever order things happen, whoever is killed or stands still, and
// however old what a cache shows; so two never act.
func TestNeverTwoOwners(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, controllers := newPlane(t)
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			if wrong := happen(t, p, controllers, broken{}); wrong != "" {
				t.Fatal(wrong)
			}
		}
	})
}

// TestTheWantedOneGetsIt: when nobody is killed any more and caches are shown all, the wanted controller owns the Component soon, also when
// its owner is gone; where that one is not there the owner goes on, unless it had asked before.
func TestTheWantedOneGetsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, controllers := newPlane(t)
		for range rapid.IntRange(0, 100).Draw(t, "events") {
			happen(t, p, controllers, broken{})
		}
		gone := rapid.IntRange(-1, len(controllers)-1).Draw(t, "gone")
		for i, c := range controllers {
			if c.alive = i != gone; c.alive {
				c.start(t, p)
			}
		}
		owner := p.live().owner
		for range 20 {
			p.now = p.now.Add(5 * time.Second)
			for _, c := range controllers {
				if !c.alive {
					continue
				}
				c.renew(p)
				c.show(p)
				if wrong := c.step(p, broken{}); wrong != "" {
					t.Fatal(wrong)
				}
				if c.acting {
					c.step(p, broken{})
				}
			}
		}
		wanted := p.live().wanted
		if wanted == "" {
			wanted = DefaultID
		}
		there := slices.ContainsFunc(controllers, func(c *controller) bool { return c.alive && c.id == wanted })
		if have := p.live().owner; have != wanted && (there || have != owner) {
			t.Fatalf("it is %s's, and %s is wanted (there: %t); it was %s's", have, wanted, there, owner)
		}
	})
}

// show a controller all that there is.
func (c *controller) show(p *plane) {
	c.version = len(p.components) - 1
	for id, leases := range p.leases {
		c.leases[id] = len(leases) - 1
		c.seen.See(id, leases[len(leases)-1], length, p.now)
	}
}

// handedOver is a world in which b got the Component from a, which was shown version 1, of the time when it was a's.
func handedOver(b broken) (*plane, *controller, *controller) {
	p := &plane{
		now: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC), components: []component{{wanted: "a"}},
		leases: map[string][]Lease{"": {{}}, "a": {{}}, "b": {{}}},
	}
	first := &controller{id: "a", alive: true, seen: Observed{}, leases: map[string]int{}}
	second := &controller{id: "b", alive: true, seen: Observed{}, leases: map[string]int{}}
	turn := func(c *controller) {
		c.renew(p)
		c.show(p)
		c.step(p, b)
	}
	turn(first) // takes it
	p.write(len(p.components)-1, func(o *component) { o.wanted = "b" })
	turn(second) // asks
	turn(first)  // hands over
	return p, first, second
}

// TestWhatEachProtectionIsFor plays what goes wrong without one of them, and well with it.
func TestWhatEachProtectionIsFor(t *testing.T) {
	for name, tc := range map[string]struct {
		without broken
		play    func(b broken) string
	}{
		"a new process acts by a cache alone, which is old": {broken{unconfirmed: true}, func(b broken) string {
			p, a, _ := handedOver(b)
			*a = controller{id: "a", alive: true, seen: Observed{}, leases: map[string]int{}}
			a.renew(p)
			a.show(p)
			a.version = 1
			return a.step(p, b) + a.step(p, b)
		}},
		"a process remembers what it handed over, and its watch begins anew": {broken{blind: true}, func(b broken) string {
			p, a, _ := handedOver(b)
			a.version = 1
			return a.step(p, b) + a.step(p, b)
		}},
		"a process stands still before it acts, and another has taken it": {broken{unfresh: true}, func(b broken) string {
			p, a, second := handedOver(b)
			second.show(p)
			second.step(p, b) // confirms that it is its own, and is about to act
			second.show(p)
			p.write(len(p.components)-1, func(o *component) { o.wanted = "a" })
			p.now = p.now.Add(3 * length)
			a.renew(p)
			a.alive, a.confirmed = true, false
			a.renew(p)
			for range 3 {
				a.show(p)
				a.step(p, b)
				p.now = p.now.Add(length)
				a.renew(p)
				a.renew(p)
			}
			if p.live().owner != "a" {
				return "nobody took it: the play is wrong"
			}
			return second.step(p, b)
		}},
		"one takes it from an owner that lives": {broken{impatient: true}, func(b broken) string {
			p, a, second := handedOver(b)
			second.show(p)
			second.step(p, b)
			p.write(len(p.components)-1, func(o *component) { o.wanted = "a" })
			a.renew(p)
			a.show(p)
			a.step(p, b)
			return second.step(p, b)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if wrong := tc.play(broken{}); wrong != "" {
				t.Errorf("with every protection: %s", wrong)
			}
			if wrong := tc.play(tc.without); wrong == "" {
				t.Error("without it nothing goes wrong: it protects from nothing, or the model does not see it")
			}
		})
	}
}
