package decide

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fleet is a small federation: members with room for pods, and one binding.
type fleet struct {
	w World
	// nodes is how many pods fit each member.
	nodes []int32
	// lies is what its estimator adds to the truth.
	lies []int32
	pods int
	// moved are the times of moves.
	moved []time.Time
	// per minute and cluster.
	log []passage
}

type passage struct {
	at       time.Time
	cluster  string
	replicas int32
}

// live lets members do what they do: lose pods with their nodes, make and remove pods, give them nodes.
func (f *fleet) live() {
	for i := range f.w.Clusters {
		c := &f.w.Clusters[i]
		c.Workload.Replicas = c.Assigned
		pods := c.Workload.Pods
		// The node of a pod is gone: it is made anew.
		for used := c.Workload.nodes(); used > f.nodes[i]; used-- {
			for j := range pods {
				if pods[j].Scheduled {
					f.pods++
					pods[j] = Pod{Name: fmt.Sprint("pod", f.pods), Refused: f.w.Now, Why: "no node"}
					break
				}
			}
		}
		for int32(len(pods)) > c.Assigned {
			gone := len(pods) - 1
			for j := range pods {
				if !pods[j].Scheduled {
					gone = j
				}
			}
			pods = append(pods[:gone:gone], pods[gone+1:]...)
		}
		for int32(len(pods)) < c.Assigned {
			f.pods++
			pods = append(pods, Pod{Name: fmt.Sprint("pod", f.pods), Refused: f.w.Now, Why: "no node"})
		}
		c.Workload.Pods = pods
		for j := range pods {
			if !pods[j].Scheduled && c.Workload.nodes() < f.nodes[i] {
				pods[j] = Pod{Name: pods[j].Name, Scheduled: true}
			}
		}
		free := max(f.nodes[i]-c.Workload.nodes()+f.lies[i], 0)
		c.Room = &free
		c.Recent = 0
		for _, p := range f.log {
			if p.cluster == c.Name && f.w.Now.Sub(p.at).Abs() < time.Minute {
				c.Recent += p.replicas
			}
		}
	}
}

// step decides and applies.
func (f *fleet) step(t *rapid.T) Decision {
	f.live()
	running := map[string]int32{}
	for _, c := range f.w.Clusters {
		running[c.Name] = c.Workload.nodes()
	}
	d := Next(f.w)
	judge(t, f.w, d)
	f.w.Full++
	if d.Reason != ReasonNoRoom && d.Reason != ReasonAsked {
		f.w.Full = 0
	}
	if d.Targets == nil {
		return d
	}
	if d.Verdict == Moves {
		f.moved = append(f.moved, f.w.Now)
	}
	for i, target := range d.Targets {
		f.w.Clusters[i].Assigned = target.Replicas
	}
	for _, m := range d.Moved {
		f.log = append(f.log, passage{f.w.Now, m.From, m.Replicas}, passage{f.w.Now, m.To, m.Replicas})
	}
	read, err := Remember(d.Memory.String())
	if err != nil {
		t.Fatalf("memory %q: %v", d.Memory, err)
	}
	f.w.Memory = read
	f.live()
	for _, c := range f.w.Clusters {
		if c.Workload.nodes() < running[c.Name] {
			t.Fatalf("%s lost a pod that ran by %s %s", c.Name, d.Verdict, d.Message)
		}
	}
	return d
}

// TestRandomWorlds plays members that lose and get nodes, templates that are scaled, estimators that lie and clocks that jump: the sum is
// kept, nothing that runs is taken, nothing exceeds the room that was said; and once nothing happens any more the moves end.
func TestRandomWorlds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &fleet{}
		var clusters []Cluster
		for i := range rapid.IntRange(1, 4).Draw(t, "clusters") {
			clusters = append(clusters, Cluster{Name: fmt.Sprint("member", i), Assigned: rapid.Int32Range(0, 6).Draw(t, "assigned"),
				Workload: &Workload{}})
			f.nodes = append(f.nodes, rapid.Int32Range(0, 8).Draw(t, "nodes"))
			f.lies = append(f.lies, rapid.SampledFrom([]int32{0, 0, 0, 3}).Draw(t, "lie"))
		}
		f.w = makeWorld(clusters...)
		f.w.Settings.MovesPerMinute = rapid.Int32Range(1, 5).Draw(t, "a minute")
		f.w.Binding.Aggregated = rapid.Bool().Draw(t, "aggregated")
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			i := rapid.IntRange(0, len(clusters)-1).Draw(t, "where")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				f.nodes[i] = rapid.Int32Range(0, 8).Draw(t, "nodes")
			case 1:
				if n := rapid.Int32Range(0, 6).Draw(t, "scaled"); n >= f.w.Clusters[i].Workload.nodes() {
					f.w.Binding.Replicas += n - f.w.Clusters[i].Assigned
					f.w.Clusters[i].Assigned = n
				}
			case 2:
				f.w.Now = f.w.Now.Add(-time.Duration(rapid.IntRange(0, 3600).Draw(t, "back")) * time.Second)
			default:
				f.w.Now = f.w.Now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "on")) * time.Second)
			}
			f.step(t)
		}
		// From now on nothing happens but time, and no estimator lies.
		for i := range f.lies {
			f.lies[i] = 0
		}
		f.moved = nil
		last := Decision{}
		for range 400 {
			f.w.Now = f.w.Now.Add(72 * time.Second)
			last = f.step(t)
		}
		if last.Verdict != Nothing && last.Verdict != NoRoom {
			t.Fatalf("after eight hours: %s %s", last.Verdict, last.Message)
		}
		free := int32(0)
		for _, c := range f.w.Clusters {
			if len(last.Waiting) > 0 && *c.Room > 0 && c.Workload.nodes() == c.Assigned {
				free += *c.Room
			}
		}
		if free > 0 {
			t.Fatalf("%v wait, and there is room for %d", last.Waiting, free)
		}
		for i := 1; i < len(f.moved); i++ {
			if gap := f.moved[i].Sub(f.moved[i-1]); gap < time.Minute {
				t.Fatalf("moves %s apart", gap)
			}
		}
	})
}
