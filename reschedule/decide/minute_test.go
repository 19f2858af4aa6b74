package decide

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// aMinute is what replicas may wait for longer than they must.
const aMinute = time.Minute

// looks at the fleet when the controller would, until all its pods have a node. It returns how long that took from the time that is given.
func (f *fleet) looks(t *rapid.T, from time.Time) time.Duration {
	for range 100 {
		d := f.step(t)
		waiting := int32(0)
		for _, c := range f.w.Clusters {
			waiting += c.Assigned - c.Workload.nodes()
		}
		if waiting == 0 {
			return f.w.Now.Sub(from)
		}
		f.pass(d)
	}
	t.Fatalf("after a hundred looks pods wait still, although there is room")
	return 0
}

// pass lets the time to the next look pass, as the controller does where a decision names none.
func (f *fleet) pass(d Decision) {
	if d.After == 0 {
		d.After = f.w.Settings.Unschedulable
	}
	f.w.Now = f.w.Now.Add(d.After)
}

// losing is a fleet whose clusters run all they were assigned, and the first of which then loses nodes under some pods.
func losing(t *rapid.T) (f *fleet, lost int32) {
	f = &fleet{}
	var clusters []Cluster
	for i := range rapid.IntRange(2, 5).Draw(t, "clusters") {
		assigned := rapid.Int32Range(1, 20).Draw(t, "assigned")
		clusters = append(clusters, Cluster{Name: fmt.Sprint("member", i), Assigned: assigned, Workload: &Workload{}})
		f.nodes, f.lies = append(f.nodes, assigned), append(f.lies, 0)
	}
	f.w = makeWorld(clusters...)
	f.w.Binding.Aggregated = rapid.Bool().Draw(t, "aggregated")
	f.live()
	lost = rapid.Int32Range(1, clusters[0].Assigned).Draw(t, "lost")
	f.nodes[0] -= lost
	f.live()
	return f, lost
}

// TestWithinAMinute: where there is room, what waits runs elsewhere within a minute after it has waited for long enough; where there was
// none, within a minute after there is. It counts the looks as the controller makes them, and the members as if they took no time: their
// seconds are those of the stories on the lab.
func TestWithinAMinute(t *testing.T) {
	longest := map[string]time.Duration{}
	took := func(t *rapid.T, what string, d time.Duration) {
		longest[what] = max(longest[what], d)
		if d > aMinute {
			t.Fatalf("%s: %s", what, d)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		f, lost := losing(t)
		refused := f.w.Now
		// The binding is seen to lack replicas a little later, and is looked at when its pods can have waited long enough.
		f.w.Now = refused.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "reported after"))*time.Second + f.w.Settings.Unschedulable)
		if rapid.Bool().Draw(t, "room elsewhere") {
			where := rapid.IntRange(1, len(f.nodes)-1).Draw(t, "where")
			f.nodes[where] += lost
			if rapid.Bool().Draw(t, "a careful answer first") {
				f.lies[where] = -lost
				f.pass(f.step(t))
				f.lies[where] = 0
			}
			took(t, "from the threshold until all run elsewhere", f.looks(t, refused.Add(f.w.Settings.Unschedulable)))
			return
		}
		// Nobody has room, for whole days.
		for range rapid.IntRange(3, 40).Draw(t, "looks in vain") {
			d := f.step(t)
			if d.Verdict != NoRoom && d.Reason != ReasonAsked {
				t.Fatalf("in a full federation: %s %s", d.Verdict, d.Message)
			}
			f.pass(d)
		}
		// A node comes right after a look.
		added := f.w.Now.Add(-lookForRoom)
		f.nodes[rapid.IntRange(1, len(f.nodes)-1).Draw(t, "where")] += lost
		took(t, "from when there is room until all run there", f.looks(t, added))
	})
	for what, d := range longest {
		t.Logf("%s: %s at most", what, d)
	}
	if len(longest) != 2 {
		t.Error("one of both was not played")
	}
}
