package decide

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

func limits(lo, hi int32) api.FedHPASpec { return api.FedHPASpec{MinReplicas: lo, MaxReplicas: hi} }

func mustSettle(t interface{ Fatalf(string, ...any) }, m *model) {
	if err := m.settle(); err != nil {
		t.Fatalf("%v", err)
	}
	if len(m.faults) > 0 {
		t.Fatalf("%v", m.faults)
	}
	if msg := m.agree(); msg != "" {
		t.Fatalf("%s\n%s\n%+v", msg, m, m.status)
	}
}

// TestTakeOverChangesNothing: whatever ran before runs after.
func TestTakeOverChangesNothing(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
	mustSettle(t, m)
	if got := m.binding.clusters.String(); got != "m1=5,m2=3" {
		t.Errorf("after taking over members run %s", got)
	}
	if m.status.Phase != api.FedHPAActive {
		t.Errorf("phase = %s", m.status.Phase)
	}
	if m.members["m1"].hpa == nil || m.members["m2"].hpa == nil {
		t.Error("a member has no autoscaler")
	}
}

// TestRebalancer: a rebalance that somebody asks for is followed, as the movement it is, and nobody is warned of it.
func TestRebalancer(t *testing.T) {
	m := newModel(limits(2, 30), Counts{"m1": 12, "m2": 2})
	mustSettle(t, m)
	m.members["m1"].load, m.members["m2"].load = 9, 5 // the load will go where replicas are
	m.rebalancer()
	m.schedule(14, Counts{"m1": 7, "m2": 7})
	m.binding.scheduled = m.now.Add(time.Second)
	mustSettle(t, m)
	if m.overwrites != 0 {
		t.Errorf("it was taken for %d overwrites", m.overwrites)
	}
	if got := m.members["m2"].peak; got < 7 {
		t.Errorf("m2 was given 7 and never ran more than %d", got)
	}
	if m.status.LastDivision.Reason == api.FedHPAReasonNearMax || m.status.LastRebalanceTime == nil {
		t.Errorf("%+v", m.status)
	}
	wantSaid(t, m.status, api.FedHPABooksAgree, "True BooksAgree")
	// The next scheduling that nobody asked for is what it always was.
	m.schedule(14, Counts{"m1": 4, "m2": 10})
	mustSettle(t, m)
	if m.overwrites != 1 {
		t.Errorf("%d overwrites, want 1", m.overwrites)
	}
}

// TestLoadInOneMember: it scales by itself, and the books follow without a scheduling.
func TestLoadInOneMember(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
	mustSettle(t, m)
	m.members["m1"].load = 9
	mustSettle(t, m)
	if got := m.binding.clusters.String(); got != "m1=9,m2=3" || m.overwrites != 0 {
		t.Errorf("books %s, overwrites %d", got, m.overwrites)
	}
}

// TestMaxMovesToTheLoad: a cluster at its limit is given what the other does not use.
func TestMaxMovesToTheLoad(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 2, "m2": 2})
	mustSettle(t, m)
	m.members["m1"].load = 18
	mustSettle(t, m)
	// Of the last room, the idle cluster keeps its part.
	if got := m.members["m1"].replicas; got < 17 {
		t.Errorf("m1 runs %d of the 18 it asks for: %s", got, m.status.LastDivision.Message)
	}
}

// TestStaleScheduler: a scheduler that divides an old count is put right, and members never move.
func TestStaleScheduler(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
	m.webhook = false
	mustSettle(t, m)
	m.members["m1"].load = 9
	m.template.Replicas = 16 // somebody pushes the template
	m.detect()
	m.read()
	m.write()
	mustSettle(t, m)
	if got := m.binding.clusters.String(); got != "m1=9,m2=3" || m.overwrites == 0 {
		t.Errorf("books %s, overwrites %d", got, m.overwrites)
	}
}

// TestMemberAway: its replicas and its part of max stay, and it goes on.
func TestMemberAway(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
	mustSettle(t, m)
	m.members["m2"].ready = false
	before := *m.members["m2"].hpa
	m.members["m2"].load = 8
	m.members["m1"].load = 19
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	if got := m.binding.clusters["m2"]; got != 3 {
		t.Errorf("the book says %d for a member that cannot be asked; it said 3", got)
	}
	if m.members["m1"].replicas > 20-before.Max {
		t.Errorf("m1 runs %d though %d of 20 are reserved", m.members["m1"].replicas, before.Max)
	}
	m.members["m2"].ready = true
	mustSettle(t, m)
	if got := m.binding.clusters["m2"]; got != m.members["m2"].replicas {
		t.Errorf("the book says %d", got)
	}
}

// TestFailover: what the scheduler moves from a lost cluster is started elsewhere, though replicas are retained.
func TestFailover(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 4, "m2": 3})
	mustSettle(t, m)
	m.members["m2"].ready = false
	// The taint manager takes m2 out, the scheduler gives its replicas to m1.
	m.binding.clusters = Counts{"m1": 7}
	m.binding.generation++
	m.binding.observed = m.binding.generation
	m.binding.version++
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	// Its load is still that of 4, so it may come down again; but the replacement was there.
	if got := m.members["m1"].peak; got != 7 {
		t.Errorf("m1 never ran the 7 it was given, at most %d", got)
	}
	if got := m.binding.clusters.String(); got != "m1=4" {
		t.Errorf("in the end the book says %s", got)
	}
}

// TestMovedBeyondMax: replicas that the scheduler spreads anew, after a push of more than max, are adopted in every cluster before max cuts
// them.
func TestMovedBeyondMax(t *testing.T) {
	m := newModel(limits(4, 30), Counts{"m1": 10, "m2": 10, "m3": 10})
	mustSettle(t, m)
	m.members["m1"].load, m.members["m2"].load, m.members["m3"].load = 5, 5, 5
	// All ran in m1 when the books were last written.
	m.template.Replicas = 35
	m.binding.replicas, m.binding.clusters, m.binding.ledger = 35, Counts{"m1": 10, "m2": 12, "m3": 13}, Counts{"m1": 30}
	m.binding.generation++
	m.binding.observed = m.binding.generation
	m.binding.version++
	mustSettle(t, m)
	if got := m.binding.clusters.Sum(); got > 30 {
		t.Errorf("%d run of at most 30", got)
	}
}

// TestMovedWhileOneIsAway: the room for what was moved comes from clusters that can be told.
func TestMovedWhileOneIsAway(t *testing.T) {
	m := newModel(limits(2, 24), Counts{"m1": 5, "m2": 3, "m3": 12})
	mustSettle(t, m)
	m.members["m1"].ready = false
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	// All but what the others may grow to was moved to m3 from a cluster that is gone.
	moved := 24 - m.members["m1"].hpa.Max - 3
	if now := m.members["m3"].hpa.Max; moved <= now {
		t.Fatalf("m3 may run %d already", now)
	}
	m.template.Replicas = 5 + 3 + moved
	m.binding.replicas, m.binding.clusters = 5+3+moved, Counts{"m1": 5, "m2": 3, "m3": moved}
	m.binding.ledger = Counts{"m1": 5, "m2": 3, "m3": 12, "gone": moved - 12}
	m.binding.generation++
	m.binding.observed = m.binding.generation
	m.binding.version++
	m.members["m3"].load = moved
	mustSettle(t, m)
}

// TestRelease: deleting a FedHPA changes no replica, also when an autoscaler moves at the last moment.
func TestRelease(t *testing.T) {
	m := newModel(limits(2, 20), Counts{"m1": 5, "m2": 3})
	mustSettle(t, m)
	m.deleting, m.deletedAt = true, m.now
	m.reconcile(-1)
	m.members["m1"].load = 7
	m.tick("m1")
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	if !m.gone || m.template.Retain || m.binding.ledger != nil || m.members["m1"].hpa != nil {
		t.Fatalf("not released: %+v %+v", m.template, m.status.Conditions)
	}
	for range 3 {
		m.detect()
		m.read()
		m.write()
		m.deliver(false)
		m.execute("m1")
		m.execute("m2")
	}
	if len(m.faults) > 0 {
		t.Fatalf("%v", m.faults)
	}
	if got := m.members["m1"].replicas; got != 7 {
		t.Errorf("m1 runs %d, it ran 7", got)
	}
}

// TestBurstToStandby: the standby is woken when the others are full, and emptied when it is idle again.
func TestBurstToStandby(t *testing.T) {
	spec := limits(2, 20)
	spec.Distribution = &api.Distribution{Clusters: []api.ClusterDistribution{{Name: "m3", Role: api.ClusterRoleStandby}}}
	m := newModel(spec, Counts{"m1": 2, "m2": 2})
	m.members["m1"].free, m.members["m2"].free = 5, 5
	m.members["m3"] = &memberModel{ready: true, free: 50}
	mustSettle(t, m)
	if m.members["m3"].exists {
		t.Fatal("the standby runs without need")
	}
	m.members["m1"].load, m.members["m2"].load, m.members["m3"].load = 9, 9, 8
	mustSettle(t, m)
	if got := m.members["m3"].replicas; got != 8 {
		t.Errorf("the standby runs %d of the 8 it asks for: %+v", got, m.status)
	}
	m.members["m1"].load, m.members["m2"].load, m.members["m3"].load = 1, 1, 1
	for range 30 {
		mustSettle(t, m)
	}
	if m.members["m3"].exists {
		t.Errorf("the standby still runs: %+v", m.status.Clusters)
	}
}

// TestRandomOrder plays random loads, pushes, outages and deaths of the controller in random order, with a standby or without, within the
// regions that a placement allows. Members' replicas are never written by anybody but their autoscaler, the limits in force never exceed
// max, no result leaves the regions, and when the storm is over the books are true.
func TestRandomOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := randomModel(t)
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			m.befalls(t)
			checkMax(t, m)
		}
		for _, member := range m.members {
			member.ready, member.ill, member.surge, member.held, member.mute, member.rival = true, false, 0, false, false, 0
		}
		mustSettle(t, m)
		checkMax(t, m)
	})
}

// TestWakesInTime: between one look and the time that look asks to be woken at, time alone changes nothing that is done or said. So
// whatever becomes due is done when it is due, also when an event or a restart made the queue forget what an earlier look had asked for.
func TestWakesInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(limits(rapid.Int32Range(1, 6).Draw(t, "min"), 30), Counts{"m1": 5, "m2": 3})
		m.members["m3"] = &memberModel{ready: true, free: 20}
		if rapid.Bool().Draw(t, "standby") {
			m.spec.Distribution = &api.Distribution{Clusters: []api.ClusterDistribution{{Name: "m3", Role: api.ClusterRoleStandby}}}
		}
		m.webhook = rapid.Bool().Draw(t, "webhook")
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			member := m.members[rapid.SampledFrom([]string{"m1", "m2", "m3"}).Draw(t, "who")]
			switch rapid.IntRange(0, 15).Draw(t, "what") {
			case 0:
				member.load = rapid.Int32Range(0, 30).Draw(t, "load")
			case 1:
				member.waiting = rapid.Int32Range(0, 3).Draw(t, "waiting")
			case 2:
				member.ready = !member.ready
			case 5:
				member.ill = !member.ill
			case 6:
				member.rival = rapid.Int32Range(0, 4).Draw(t, "rival")
			case 8:
				m.rebalancer()
			case 7:
				member.surge = rapid.Int32Range(0, 3).Draw(t, "surge")
			case 3:
				m.template.Replicas = max(m.template.Replicas+rapid.Int32Range(-2, 2).Draw(t, "by"), 1)
			case 4:
				m.deleting, m.deletedAt = m.deleting || rapid.IntRange(0, 9).Draw(t, "delete") == 0, m.now
			default:
				m.step(t)
			}
			checkWake(t, m)
		}
	})
}

func checkWake(t *rapid.T, m *model) {
	seen := m.world()
	first := Decide(seen)
	if len(first.Actions) > 0 {
		return // whose events come
	}
	seen.Status = first.Status
	at := rapid.Int64Range(1, int64(first.Wake)-1).Draw(t, "before the wake")
	seen.Now = seen.Now.Add(time.Duration(at))
	then := Decide(seen)
	if len(then.Actions) > 0 || len(then.Events) > 0 || said(then) != said(first) {
		t.Fatalf("woken after %s, but after %s: %v %v\nbefore %s\nthen   %s\n%s", first.Wake, time.Duration(at), actionsOf(then), then.Events,
			said(first), said(then), m)
	}
}

// said is each condition with its reason: in words there may be times that are left.
func said(plan Plan) string {
	var out []string
	for _, c := range plan.Status.Conditions {
		out = append(out, fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Reason))
	}
	return strings.Join(out, ", ")
}

// checkMax: the limits sent and in force never rise beyond max, or beyond what is known to run if that is more. The one exception is a
// cluster that was given up while it was away and is back in the scheduling result before it could be told.
func checkMax(t *rapid.T, m *model) {
	var sum, everywhere, runs int32
	returned := false
	for name, member := range m.members {
		top := int32(0)
		for _, r := range []*split.Range{member.hpa, member.hpaWork} {
			if r != nil {
				top = max(top, r.Max)
			}
		}
		everywhere += top
		if _, in := m.binding.clusters[name]; in {
			sum += top
			runs += max(member.replicas, member.reported.replicas, m.binding.clusters[name])
			returned = returned || m.dropped()
		}
	}
	if sum > max(m.spec.MaxReplicas, runs) && sum > m.limits && !returned {
		t.Fatalf("limits reach %d of %d\n%s", sum, m.spec.MaxReplicas, m)
	}
	m.limits = sum
	if everywhere <= m.spec.MaxReplicas {
		for _, member := range m.members {
			member.dropped = false
		}
	}
	if len(m.faults) > 0 {
		t.Fatalf("%v", m.faults)
	}
}
