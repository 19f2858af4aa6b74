package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 28, 21, 0, 0, 0, time.UTC)

// usual settings of the tests.
func usual() Settings {
	return Settings{
		Unschedulable: 5 * time.Minute, Autoscaler: 15 * time.Minute, CoolDown: time.Minute, CoolDownMost: time.Hour,
		ComeUp: 30 * time.Second, MovesPerMinute: 100,
	}
}

// makeWorld is a binding divided by what is available.
func makeWorld(clusters ...Cluster) World {
	return World{Now: now, Settings: usual(), Clusters: clusters,
		Binding: Binding{Replicas: sum(clusters), Divided: true, Settled: true}}
}

// runs is a cluster with pods that run and pods that are refused for six minutes.
func runs(name string, ready, refused int32) Cluster {
	c := Cluster{Name: name, Assigned: ready + refused, Workload: &Workload{Replicas: ready + refused}}
	for i := range ready + refused {
		p := Pod{Name: name + "-" + string('a'+i), Ordinal: int(i), Scheduled: i < ready}
		if !p.Scheduled {
			p.Refused, p.Why = now.Add(-6*time.Minute), "0/4 nodes are available: Insufficient cpu"
		}
		c.Workload.Pods = append(c.Workload.Pods, p)
	}
	return c
}

func room(c Cluster, n int32) Cluster {
	c.Room = &n
	return c
}

func with(c Cluster, change func(*Cluster)) Cluster {
	change(&c)
	return c
}

func worldWith(w World, change func(*World)) World {
	change(&w)
	return w
}

func TestNext(t *testing.T) {
	two := func() World { return makeWorld(runs("member1", 3, 2), room(runs("member2", 4, 0), 7)) }
	alone := func(change func(*Alone)) World {
		return worldWith(two(), func(w *World) { change(&w.Binding.Alone) })
	}
	donor := func(change func(*Workload)) World {
		return worldWith(two(), func(w *World) { change(w.Clusters[0].Workload) })
	}
	again := func(w World) World { return worldWith(w, func(w *World) { w.Full = 1 }) }
	unasked := func(c Cluster) Cluster {
		return with(c, func(c *Cluster) { c.Unasked, c.Workload, c.Room = true, nil, nil })
	}
	ordinals := func(w *Workload) { w.Ordinal = true }
	cases := map[string]struct {
		world       World
		wantVerdict Verdict
		wantReason  string
		// wantWords are in the message.
		wantWords string
		wantMoved []Transfer
	}{
		"two that wait go where there is room": {two(), Moves, ReasonMoved,
			"2 of 5 replicas from member1, where pods found no node (0/4 nodes are available: Insufficient cpu): 2 to member2, which had room for 7",
			[]Transfer{{"member1", "member2", 2}}},
		"no more than fit": {makeWorld(runs("member1", 3, 2), room(runs("member2", 4, 0), 1)), Moves, ReasonMoved, "1 of 5",
			[]Transfer{{"member1", "member2", 1}}},
		"less what others were promised": {makeWorld(runs("member1", 3, 2),
			with(room(runs("member2", 4, 0), 7), func(c *Cluster) { c.Promised = 6 })),
			Moves, ReasonMoved, "1 of 5", []Transfer{{"member1", "member2", 1}}},
		"all promised": {again(makeWorld(runs("member1", 3, 2), with(room(runs("member2", 4, 0), 7), func(c *Cluster) { c.Promised = 7 }))),
			NoRoom, ReasonNoRoom, "member2: full", nil},
		"full by one answer": {makeWorld(runs("member1", 3, 2), room(runs("member2", 4, 0), 0)), Waits, ReasonAsked,
			"no cluster of the binding has room, and they are asked once more (member2: full)", nil},
		"some of many not asked yet": {worldWith(again(makeWorld(runs("member1", 3, 2), room(runs("member2", 4, 0), 0),
			unasked(runs("member3", 4, 0)))), func(w *World) { w.Turns = 2 }), Waits, ReasonAsked, "", nil},
		"nobody asked yet": {makeWorld(runs("member1", 3, 2), unasked(runs("member2", 4, 0))), Waits, ReasonAsked, "", nil},
		"enough where it was asked": {makeWorld(runs("member1", 3, 2), unasked(runs("member2", 4, 0)), room(runs("member3", 1, 0), 2)), Moves,
			ReasonMoved, "", []Transfer{{"member1", "member3", 2}}},
		"no estimator is asked": {worldWith(makeWorld(runs("member1", 3, 2), runs("member2", 4, 0)), func(w *World) { w.Settings.Deaf = true }),
			Waits, ReasonUnheard, "in the chart see controllerManager.asksEstimator", nil},
		"full everywhere": {again(makeWorld(runs("member1", 3, 2), room(runs("member2", 4, 0), 0))), NoRoom, ReasonNoRoom,
			"2 of 5 replicas wait in member1 for 6m0s (0/4 nodes are available: Insufficient cpu); " +
				"no cluster of the binding has room (member2: full)", nil},
		"room unknown is not none": {makeWorld(runs("member1", 3, 2), runs("member2", 4, 0)), Waits, ReasonUnheard, "not say how many fit", nil},
		"nothing waits":            {makeWorld(runs("member1", 3, 0), room(runs("member2", 4, 0), 7)), Nothing, ReasonNothing, "", nil},
		"not for long": {donor(func(w *Workload) {
			w.Pods[3].Refused, w.Pods[4].Refused = now.Add(-4*time.Minute), now.Add(-4*time.Minute)
		}), Waits, ReasonYoung, "not all for 5m0s yet", nil},
		"one of two for long": {donor(func(w *Workload) { w.Pods[3].Refused = now.Add(-4 * time.Minute) }), Moves, ReasonMoved, "1 of 5",
			[]Transfer{{"member1", "member2", 1}}},
		"one of two for long, the other soon": {donor(func(w *Workload) {
			w.Pods[3].Refused, w.Pods[4].Refused = now.Add(-5*time.Minute+3*time.Second), now.Add(-5*time.Minute)
		}), Waits, ReasonYoung, "not all for 5m0s yet", nil},
		"one of two waited for the other": {donor(func(w *Workload) {
			w.Pods[3].Refused, w.Pods[4].Refused = now.Add(-5*time.Minute+3*time.Second), now.Add(-5*time.Minute-together)
		}), Moves, ReasonMoved, "1 of 5", []Transfer{{"member1", "member2", 1}}},
		"a member's clock is ahead": {donor(func(w *Workload) {
			w.Pods[3].Refused, w.Pods[4].Refused = now.Add(time.Hour), now.Add(time.Hour)
		}), Waits, ReasonYoung, "", nil},
		"aggregated fills one": {worldWith(makeWorld(runs("member1", 1, 4), room(runs("member2", 1, 0), 3), room(runs("member3", 1, 0), 2)),
			func(w *World) { w.Binding.Aggregated = true }), Moves, ReasonMoved, "",
			[]Transfer{{"member1", "member2", 3}, {"member1", "member3", 1}}},
		"divided by what is available": {makeWorld(runs("member1", 1, 4), room(runs("member2", 1, 0), 3), room(runs("member3", 1, 0), 3)),
			Moves, ReasonMoved, "", []Transfer{{"member1", "member2", 2}, {"member1", "member3", 2}}},
		"the first tier before the overflow": {makeWorld(runs("member1", 1, 2),
			with(room(runs("paid", 1, 0), 9), func(c *Cluster) { c.Tier = 1 }),
			room(runs("own", 1, 0), 1)), Moves, ReasonMoved, "", []Transfer{{"member1", "own", 1}, {"member1", "paid", 1}}},
		"a cluster where pods wait gets none": {makeWorld(runs("member1", 3, 2), room(runs("member2", 3, 1), 7)), NoRoom, ReasonNoRoom, "", nil},
		"a receiver that is whole": {makeWorld(runs("member1", 3, 2), with(room(runs("member2", 4, 0), 7), func(c *Cluster) {
			c.Workload = &Workload{Replicas: 4, Whole: true}
		})), Moves, ReasonMoved, "", []Transfer{{"member1", "member2", 2}}},
		"one that is whole and has other replicas": {makeWorld(runs("member1", 3, 2), with(room(runs("member2", 4, 0), 7), func(c *Cluster) {
			c.Workload = &Workload{Replicas: 3, Whole: true}
		})), NoRoom, ReasonNoRoom, "member2: the replicas assigned have not arrived there", nil},
		"a full one that was not read": {makeWorld(runs("member1", 3, 2), with(room(runs("member2", 4, 0), 0), func(c *Cluster) {
			c.Workload, c.Unread = nil, true
		})), Waits, ReasonAsked, "member2: full", nil},
		"one that was not read gets none": {makeWorld(runs("member1", 3, 2), with(room(runs("member2", 4, 0), 7), func(c *Cluster) {
			c.Workload, c.Unread = nil, true
		})), NoRoom, ReasonNoRoom, "member2: its workload was not read", nil},
		"a cluster that is silent gets none": {makeWorld(runs("member1", 3, 2),
			with(room(runs("member2", 3, 0), 7), func(c *Cluster) { c.Out = "it does not answer" })), NoRoom, ReasonNoRoom,
			"member2: it does not answer", nil},
		"a silent cluster's pods stay": {makeWorld(with(runs("member1", 3, 2), func(c *Cluster) { c.Out = "it does not answer" }),
			room(runs("member2", 3, 0), 7)), Nothing, ReasonNothing, "", nil},
		"a taint": {makeWorld(runs("member1", 3, 2), with(room(runs("member2", 3, 0), 7), func(c *Cluster) { c.Closed = "untolerated taint" })),
			NoRoom, ReasonNoRoom, "member2: untolerated taint", nil},
		"the minute is full": {makeWorld(runs("member1", 3, 2), with(room(runs("member2", 3, 0), 7), func(c *Cluster) { c.Recent = 100 })),
			Waits, ReasonRate, "no more than 100 replicas", nil},
		"a donor's minute is full": {makeWorld(with(runs("member1", 3, 2), func(c *Cluster) { c.Recent = 99 }), room(runs("member2", 3, 0), 7)),
			Moves, ReasonMoved, "", []Transfer{{"member1", "member2", 1}}},

		"an autoscaler answers": {donor(func(w *Workload) { w.Pods[3].Answered = now.Add(-time.Minute) }), LeftAlone, "PodsStay",
			"member1: an autoscaler of nodes answers, and has until 21:14:00", nil},
		"an autoscaler had its time": {donor(func(w *Workload) { w.Pods[3].Answered = now.Add(-15 * time.Minute) }), Moves, ReasonMoved, "",
			[]Transfer{{"member1", "member2", 2}}},
		"a rollout":   {donor(func(w *Workload) { w.Amid = "it has pods of two revisions" }), LeftAlone, "PodsStay", "two revisions", nil},
		"a volume":    {donor(func(w *Workload) { w.Pods[4].Volume = "data-4" }), LeftAlone, "PodsStay", "claim data-4", nil},
		"not arrived": {donor(func(w *Workload) { w.Replicas = 4 }), LeftAlone, "PodsStay", "5 replicas assigned have not arrived", nil},
		"a surge that has nodes": {donor(func(w *Workload) {
			w.Pods = append(w.Pods, Pod{Name: "x", Scheduled: true}, Pod{Name: "y", Scheduled: true})
		}), LeftAlone, "PodsStay", "5 pods have a node", nil},
		"a pod that ends holds no replica": {donor(func(w *Workload) {
			w.Pods = append(w.Pods, Pod{Name: "x", Scheduled: true, Terminating: true})
		}), Moves, ReasonMoved, "", []Transfer{{"member1", "member2", 2}}},
		"the highest ordinals": {donor(ordinals), Moves, ReasonMoved, "", []Transfer{{"member1", "member2", 2}}},
		"ordinals not made yet behind one that waits": {donor(func(w *Workload) { ordinals(w); w.Pods = w.Pods[:4] }), Moves, ReasonMoved, "",
			[]Transfer{{"member1", "member2", 2}}},
		"an ordinal in the middle": {donor(func(w *Workload) {
			ordinals(w)
			w.Pods[4].Scheduled, w.Pods[4].Refused = true, time.Time{}
		}), LeftAlone, "PodsStay", "pod member1-d waits below others", nil},

		"cooling down": {worldWith(two(), func(w *World) {
			w.Memory = Memory{At: now.Add(-10 * time.Minute), CoolDown: 16 * time.Minute}
		}), Waits, ReasonCoolDown, "next move is at 21:06:00", nil},
		"a move of the future": {worldWith(two(), func(w *World) { w.Memory = Memory{At: now.Add(24 * time.Hour), CoolDown: time.Minute} }),
			Moves, ReasonMoved, "", []Transfer{{"member1", "member2", 2}}},

		"karmada-descheduler": {alone(func(a *Alone) { a.Descheduler = "host-1" }), LeftAlone, "Descheduler", "runs (host-1)", nil},
		"not to be read":      {alone(func(a *Alone) { a.Unread = "forbidden" }), LeftAlone, "Unread", "forbidden", nil},
		"opted out":           {alone(func(a *Alone) { a.Disabled = "PropagationPolicy web" }), LeftAlone, "Disabled", "web opts out", nil},
		"deleting":            {alone(func(a *Alone) { a.Deleting = true }), LeftAlone, "Deleting", "", nil},
		"duplicated":          {worldWith(two(), func(w *World) { w.Binding.Divided = false }), LeftAlone, "NotDivided", "", nil},
		"static weights": {worldWith(two(), func(w *World) { w.Binding.StaticWeights = true }), LeftAlone, "StaticWeights",
			"would put everything back", nil},
		"components":  {alone(func(a *Alone) { a.Components = 2 }), LeftAlone, "SeveralComponents", "2 pod templates", nil},
		"a job":       {alone(func(a *Alone) { a.Job = "Job" }), LeftAlone, "Job", "", nil},
		"a scheduler": {alone(func(a *Alone) { a.Scheduler = "other" }), LeftAlone, "ForeignScheduler", "scheduler other", nil},
		"suspended":   {alone(func(a *Alone) { a.Suspended = "dispatching" }), LeftAlone, "Suspended", "dispatching is suspended", nil},
		"migrating":   {alone(func(a *Alone) { a.Migration = "Migration web has it in hand" }), LeftAlone, "Migration", "Migration web", nil},
		"FedHPA":      {alone(func(a *Alone) { a.Owner = "FedHPA web divides it" }), LeftAlone, "ReplicasOwned", "FedHPA web", nil},
		"PodScaleIn":  {alone(func(a *Alone) { a.ScaleIn = "three" }), LeftAlone, "ScaleIn", "PodScaleIn three", nil},
		"Release":     {alone(func(a *Alone) { a.Release = "web" }), LeftAlone, "Release", "Release web", nil},
		"CronHPA":     {alone(func(a *Alone) { a.Fires = "nine" }), LeftAlone, "AboutToScale", "CronHPA nine", nil},
		"evicting":    {alone(func(a *Alone) { a.Evicting = []string{"member9"} }), LeftAlone, "Evicting", "emptying member9", nil},
		"unsettled":   {worldWith(two(), func(w *World) { w.Binding.Settled = false }), LeftAlone, "Unsettled", "", nil},
		"just scaled": {worldWith(two(), func(w *World) { w.Binding.Replicas = 10 }), LeftAlone, "Unsettled", "", nil},
	}
	seen := map[string]bool{}
	for name, tc := range cases {
		seen[tc.wantReason] = true
		t.Run(name, func(t *testing.T) {
			d := Next(tc.world)
			if d.Verdict != tc.wantVerdict || d.Reason != tc.wantReason || !strings.Contains(d.Message, tc.wantWords) {
				t.Errorf("%s %s %q, want %s %s with %q", d.Verdict, d.Reason, d.Message, tc.wantVerdict, tc.wantReason, tc.wantWords)
			}
			if diff := cmp.Diff(tc.wantMoved, d.Moved); diff != "" {
				t.Errorf("moved (-want +got):\n%s", diff)
			}
			judge(t, tc.world, d)
		})
	}
	for _, reason := range Reasons() {
		if !seen[reason] {
			t.Errorf("no case for %s", reason)
		}
	}
}

// judge holds what no decision may do, whatever the world.
func judge(t interface{ Errorf(string, ...any) }, w World, d Decision) {
	if (d.Verdict == Moves || d.Verdict == PutsBack) != (d.Targets != nil) || (d.Targets == nil) != (d.Memory == nil) {
		t.Errorf("%s with targets %v and memory %v", d.Verdict, d.Targets, d.Memory)
	}
	if d.Targets == nil {
		return
	}
	total := int32(0)
	for i, target := range d.Targets {
		total += target.Replicas
		if i >= len(w.Clusters) {
			continue
		}
		c := w.Clusters[i]
		if c.Name != target.Cluster {
			t.Errorf("%s stands where %s stood", target.Cluster, c.Name)
		}
		if target.Replicas < c.Assigned && (c.Out != "" || c.Workload == nil || target.Replicas < c.Workload.nodes()) {
			t.Errorf("%s keeps %d of %d replicas, pods %+v (out: %q)", c.Name, target.Replicas, c.Assigned, c.Workload, c.Out)
		}
		if more := target.Replicas - c.Assigned; d.Verdict == Moves && more > 0 && (c.Out != "" || c.Closed != "" || c.Room == nil ||
			more > *c.Room-c.Promised || more+c.Recent > w.Settings.MovesPerMinute) {
			t.Errorf("%s gets %d more: %+v", c.Name, more, c)
		}
	}
	if total != w.Binding.Replicas || total != sum(w.Clusters) {
		t.Errorf("the sum is %d, was %d of %d", total, sum(w.Clusters), w.Binding.Replicas)
	}
	if d.Verdict == Moves && coolingDown(w) > 0 {
		t.Errorf("moved while cooling down for %s", coolingDown(w))
	}
}

// TestBack: what got no node goes back, once, and counts.
func TestBack(t *testing.T) {
	moved := func() World {
		w := makeWorld(runs("member1", 3, 0), runs("member2", 4, 2))
		for i := range w.Clusters[1].Workload.Pods {
			if p := &w.Clusters[1].Workload.Pods[i]; !p.Scheduled {
				p.Refused = now.Add(-20 * time.Second)
			}
		}
		w.Memory = Memory{At: now.Add(-31 * time.Second), CoolDown: time.Minute, Moved: []Transfer{{"member1", "member2", 2}}}
		return w
	}
	d := Next(moved())
	if diff := cmp.Diff([]Target{{"member1", 5}, {"member2", 4}}, d.Targets); diff != "" {
		t.Errorf("%s %s (-want +got):\n%s", d.Verdict, d.Message, diff)
	}
	if d.Verdict != PutsBack || !d.Memory.Back || d.Memory.CoolDown != 2*time.Minute {
		t.Errorf("%s, memory %+v", d.Verdict, d.Memory)
	}
	judge(t, moved(), d)
	for name, change := range map[string]func(*World){
		"not before its time":         func(w *World) { w.Memory.At = now.Add(-29 * time.Second) },
		"not after it counts as any":  func(w *World) { w.Memory.At = now.Add(-6 * time.Minute) },
		"not twice":                   func(w *World) { w.Memory.Back = true },
		"not from a silent member":    func(w *World) { w.Clusters[1].Out = "it does not answer" },
		"not into a silent member":    func(w *World) { w.Clusters[0].Out = "it does not answer" },
		"not where the donor is gone": func(w *World) { w.Memory.Moved[0].From = "gone" },
	} {
		w := moved()
		change(&w)
		if d := Next(w); d.Verdict == PutsBack {
			t.Errorf("%s: %s", name, d.Message)
		}
	}
	// After it, whoever failed is asked last.
	w := makeWorld(runs("member1", 3, 2), room(runs("member2", 4, 0), 9), room(runs("member3", 4, 0), 2))
	w.Memory = Memory{At: now.Add(-10 * time.Minute), CoolDown: time.Minute, Back: true, Moved: []Transfer{{"member2", "member1", 2}}}
	if d := Next(w); !cmp.Equal(d.Moved, []Transfer{{"member1", "member3", 2}}) {
		t.Errorf("moved %v, want to member3", d.Moved)
	}
}

// TestQuotas: a pod that a quota refuses is never made, so it waits for no node. It does not move; and what was moved where one refuses it
// goes back.
func TestQuotas(t *testing.T) {
	unmade := func(c Cluster, n int32) Cluster {
		c.Assigned += n
		c.Workload.Replicas += n
		return c
	}
	lately := func(w World) World {
		w.Memory = Memory{At: now.Add(-31 * time.Second), CoolDown: time.Minute, Moved: []Transfer{{"member1", "member2", 2}}}
		return w
	}
	for name, tc := range map[string]struct {
		world   World
		verdict Verdict
		targets []Target
		words   string
	}{
		"in the donor, all of them": {makeWorld(unmade(runs("member1", 3, 0), 2), room(runs("member2", 4, 0), 7)), Nothing, nil,
			"no pod waits for a node"},
		"in the donor, one of two": {makeWorld(unmade(runs("member1", 3, 1), 1), room(runs("member2", 4, 0), 7)), Moves,
			[]Target{{"member1", 4}, {"member2", 5}}, "moved 1 of 5"},
		"in the receiver": {makeWorld(runs("member1", 3, 2), room(unmade(runs("member2", 3, 0), 1), 7)), NoRoom, nil,
			"member2: 1 of its pods are not made, by a quota or an admission"},
		"in the receiver of the last move": {lately(makeWorld(runs("member1", 3, 0), unmade(runs("member2", 4, 0), 2))), PutsBack,
			[]Target{{"member1", 5}, {"member2", 4}}, "put back 2 of member2 to member1: their pods were not made there"},
		"not before its time": {worldWith(lately(makeWorld(runs("member1", 3, 0), unmade(runs("member2", 4, 0), 2))), func(w *World) {
			w.Memory.At = now.Add(-29 * time.Second)
		}), Nothing, nil, "not made yet"},
	} {
		t.Run(name, func(t *testing.T) {
			d := Next(tc.world)
			if diff := cmp.Diff(tc.targets, d.Targets); diff != "" || d.Verdict != tc.verdict || !strings.Contains(d.Message, tc.words) {
				t.Errorf("%s %s, want %s %q; targets (-want +got):\n%s", d.Verdict, d.Message, tc.verdict, tc.words, diff)
			}
			judge(t, tc.world, d)
		})
	}
}

// TestCoolDown doubles while moves do not help, up to its most, and begins anew after a rest or one that helped.
func TestCoolDown(t *testing.T) {
	w := makeWorld(runs("member1", 3, 2), room(runs("member2", 4, 0), 7))
	var got []time.Duration
	for range 8 {
		d := Next(w)
		if d.Verdict != Moves {
			t.Fatalf("%s: %s", d.Verdict, d.Message)
		}
		got = append(got, d.Memory.CoolDown)
		w.Memory = *d.Memory
		w.Memory.Back = true // as if nothing of it had come up
		w.Now = w.Now.Add(w.Memory.CoolDown)
	}
	m := time.Minute
	if diff := cmp.Diff([]time.Duration{m, 2 * m, 4 * m, 8 * m, 16 * m, 32 * m, 60 * m, 60 * m}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	helped := w
	helped.Memory.Moved, helped.Memory.Back = []Transfer{{"member1", "member2", 1}}, false
	if d := Next(helped); d.Memory.CoolDown != m {
		t.Errorf("after one that helped %s", d.Memory.CoolDown)
	}
	w.Now = w.Now.Add(5 * time.Hour)
	if d := Next(w); d.Memory.CoolDown != m {
		t.Errorf("after a rest %s", d.Memory.CoolDown)
	}
}

// TestMemory: what is written is read again, and what others wrote is refused with words.
func TestMemory(t *testing.T) {
	for _, m := range []Memory{{At: now, CoolDown: time.Minute}, {At: now, CoolDown: time.Hour, Back: true, Moved: []Transfer{
		{"member1", "member2", 2}, {"eu-1", "back", 1},
	}}} {
		got, err := Remember(m.String())
		if diff := cmp.Diff(m, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", m, err, diff)
		}
	}
	if m, err := Remember(""); err != nil || !m.At.IsZero() {
		t.Errorf("nothing is %+v, %v", m, err)
	}
	for _, text := range []string{"x", "x y", "2026-11-28T21:00:00Z 60s", "2026-11-28T21:00:00Z cooldown=1y",
		"2026-11-28T21:00:00Z cooldown=60s a>b",
		"2026-11-28T21:00:00Z cooldown=60s a=1", "2026-11-28T21:00:00Z cooldown=60s a>b=0", "2026-11-28T21:00:00Z cooldown=-1s"} {
		if m, err := Remember(text); err == nil {
			t.Errorf("%q is read as %+v", text, m)
		}
	}
}

// TestWidened: another cluster is taken only where nobody else loses anything.
func TestWidened(t *testing.T) {
	w := makeWorld(runs("member1", 3, 2), room(runs("member2", 4, 0), 0))
	w.Full, w.Turns = 1, 1
	before := Next(w)
	free := int32(7)
	rooms, gives := Wide(w, before.Wanted, []Outside{{Name: "member3", Room: &free}, {Name: "silent"}})
	if gives["member1"] != 2 || rooms["member3"] != 7 || len(rooms) != 1 {
		t.Fatalf("room %v, gives %v", rooms, gives)
	}
	one := int32(1)
	if _, few := Wide(w, before.Wanted, []Outside{{Name: "member3", Room: &one}}); few["member1"] != 1 {
		t.Errorf("gives %v where one fits", few)
	}
	cases := map[string]struct {
		rehearsed   []Target
		failure     string
		wantVerdict Verdict
		wantWords   string
	}{
		"right":            {[]Target{{"member1", 3}, {"member2", 4}, {"member3", 2}}, "", Moves, "2 from member1 to member3, which had room"},
		"only one":         {[]Target{{"member1", 4}, {"member2", 4}, {"member3", 1}}, "", Moves, "1 from member1"},
		"another group":    {[]Target{{"member3", 9}}, "", NoRoom, "member1 would keep 0 of 3"},
		"overflow emptied": {[]Target{{"member1", 3}, {"member3", 6}}, "", NoRoom, "member2 would keep 0 of 4"},
		"given back":       {[]Target{{"member1", 5}, {"member2", 4}}, "", NoRoom, "give them back"},
		"not all":          {[]Target{{"member1", 3}, {"member2", 4}}, "", NoRoom, "7 of 9 replicas"},
		"into a full one":  {[]Target{{"member1", 3}, {"member2", 6}}, "", NoRoom, "member2 would get 2 replicas"},
		"more than fit":    {[]Target{{"member1", 3}, {"member2", 4}, {"member9", 2}}, "", NoRoom, "member9 would get 2 replicas and has room"},
		"no place":         {nil, "2/3 clusters do not match", NoRoom, "2/3 clusters do not match"},
	}
	for name, tc := range cases {
		d := Widened(w, before, gives, rooms, tc.rehearsed, tc.failure)
		if d.Verdict != tc.wantVerdict || !strings.Contains(d.Message, tc.wantWords) {
			t.Errorf("%s: %s %q, want %s with %q", name, d.Verdict, d.Message, tc.wantVerdict, tc.wantWords)
		}
		if d.Verdict == NoRoom && tc.failure == "" && d.Reason != ReasonMore {
			t.Errorf("%s: reason %s", name, d.Reason)
		}
		judge(t, w, d)
	}
}

// TestAskOutside: a cluster that the binding has not is full when it was asked twice, too, after those that it has.
func TestAskOutside(t *testing.T) {
	w := makeWorld(runs("member1", 3, 2), room(runs("member2", 4, 0), 0))
	for name, tc := range map[string]struct {
		turns, full, outside int32
		want                 bool
	}{
		"asked once":                     {1, 1, 1, true},
		"asked twice":                    {1, 2, 1, false},
		"no other cluster":               {1, 1, 0, false},
		"none in the binding, once":      {0, 0, 1, true},
		"none in the binding, twice":     {0, 1, 1, false},
		"many outside, not all of them":  {1, 3, 2, true},
		"many outside, each of them":     {1, 4, 2, false},
		"many in the binding, and a few": {3, 6, 1, false},
	} {
		w.Turns, w.Full = tc.turns, tc.full
		d, again := AskOutside(w, Decision{Verdict: NoRoom, Reason: ReasonNoRoom}, tc.outside)
		if again != tc.want || again != (d.Reason == ReasonAsked) {
			t.Errorf("%s: asked again %v, %s", name, again, d.Reason)
		}
	}
}

// TestRecalls: a move has a say as long as it may be put back or makes the next cool-down longer, and no longer.
func TestRecalls(t *testing.T) {
	for name, tc := range map[string]struct {
		memory Memory
		want   bool
	}{
		"none":                           {Memory{}, false},
		"a moment ago":                   {Memory{At: now, CoolDown: time.Minute, Moved: []Transfer{{"a", "b", 1}}}, true},
		"it may be put back":             {Memory{At: now.Add(-330 * time.Second), Moved: []Transfer{{"a", "b", 1}}}, true},
		"past":                           {Memory{At: now.Add(-331 * time.Second), Moved: []Transfer{{"a", "b", 1}}}, false},
		"past, and its cool-down is not": {Memory{At: now.Add(-time.Hour), CoolDown: time.Hour, Moved: []Transfer{{"a", "b", 1}}}, true},
		"a clock was set back":           {Memory{At: now.Add(time.Hour), CoolDown: time.Minute, Moved: []Transfer{{"a", "b", 1}}}, true},
	} {
		if got := worldWith(makeWorld(), func(w *World) { w.Memory = tc.memory }).Recalls(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
