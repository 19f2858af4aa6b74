package checker

import (
	"fmt"
	"slices"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// order is a PodScaleIn that is followed.
type order struct {
	pods  []string // member/name
	app   app
	since time.Time
	// gone are the application's pods that began to go while it ran, and came those that were made meanwhile: when it was written nobody could
	// name them, and what a late write of Karmada makes goes again with the next.
	gone, came []string
	// spare is how many replicas the members had beyond the template's when it was written: somebody had scaled in, and which of them go is
	// the scheduler's to say.
	spare int64
	// doubtful: somebody else took pods away meanwhile.
	doubtful bool
}

// scaleIn is C6.
func scaleIn(h history.History, v *Verdict) {
	fleet, now := fleetOf(h), newFaults()
	open, lows := map[history.Key]*order{}, lows{}
	h.Replay(func(world history.World, before history.Object, r history.Record) {
		now.hear(r)
		if n := r.Note; n != nil && (n.Kind == history.Phase && n.Name == history.PhaseRest) {
			clear(open)
		}
		lows.hear(fleet, world, before, r)
		switch r.Resource {
		case history.PodScaleIns:
			follow(open, fleet, lows, world, r, v)
		case history.Pods:
			for _, o := range open {
				o.hear(before, r)
			}
		}
		for _, o := range open {
			for _, name := range []string{"taint ", "cordon ", "rebalance " + o.app.key.Name} {
				o.doubtful = o.doubtful || now.anyLately(r.At, slack, name)
			}
		}
	})
}

// hear of a pod.
func (o *order) hear(before history.Object, r history.Record) {
	switch {
	case before == nil && r.Op == history.Put && belongs(r.Object, o.app):
		o.came = append(o.came, r.Plane+"/"+r.Name)
	case leaves(before, r) && belongs(before, o.app):
		o.gone = append(o.gone, r.Plane+"/"+r.Name)
	}
}

// leaves tells whether a pod began to go with this record.
func leaves(before history.Object, r history.Record) bool {
	if before == nil || before.Text("metadata", "deletionTimestamp") != "" {
		return false
	}
	return r.Op == history.Delete || r.Object.Text("metadata", "deletionTimestamp") != ""
}

// lows are how many replicas templates were lowered to, and when, until the members have no more. What is raised again at once may be
// carried out all the same: Karmada's controllers act on what they read before.
type lows map[app]low

type low struct {
	at       time.Time
	replicas int64
}

func (l lows) hear(fleet fleet, world history.World, before history.Object, r history.Record) {
	a, known := fleet.of(r.Key)
	if !known {
		return
	}
	if r.Plane == history.ControlPlane && r.Op == history.Put {
		was, _ := before.Int("spec", "replicas")
		if now, ok := r.Object.Int("spec", "replicas"); ok && now < was {
			l[a] = low{at: r.At, replicas: min(now, l.of(a, r.At, now))}
		}
	}
	if at, lowered := l[a]; lowered && held(world, a, fleet.members) <= at.replicas {
		delete(l, a)
	}
}

// of is what was asked for lately, or so many.
func (l lows) of(a app, now time.Time, wanted int64) int64 {
	if at, lowered := l[a]; lowered && now.Sub(at.at) < slack {
		return min(wanted, at.replicas)
	}
	return wanted
}

func follow(open map[history.Key]*order, fleet fleet, lows lows, world history.World, r history.Record, v *Verdict) {
	o := open[r.Key]
	if o == nil && r.Op == history.Put && r.Object.Text("status", "phase") == "" {
		target := r.Object.Text("spec", "targetRef", "name")
		i := slices.IndexFunc(fleet.apps, func(a app) bool { return a.key.Namespace == r.Namespace && a.key.Name == target })
		if i < 0 {
			return
		}
		o = &order{app: fleet.apps[i], since: r.At, spare: lows.spare(world, fleet.apps[i], fleet.members, r.At)}
		for _, pod := range r.Object.List("spec", "pods") {
			o.pods = append(o.pods, pod.Text("cluster")+"/"+pod.Text("name"))
		}
		for _, other := range open { // two at once cannot be told apart
			other.doubtful = other.doubtful || other.app == o.app
			o.doubtful = o.doubtful || other.app == o.app
		}
		open[r.Key] = o
	}
	if o == nil {
		return
	}
	switch r.Object.Text("status", "phase") {
	case "Succeeded":
		delete(open, r.Key)
		o.judge(world, r, v)
	case "Failed", "Refused":
		delete(open, r.Key)
	}
}

func (o *order) judge(world history.World, r history.Record, v *Verdict) {
	v.Judged++
	for _, pod := range o.pods {
		if !slices.Contains(o.gone, pod) && remains(world, o.app, pod) {
			v.violated(r, r.Key, "it succeeded, and the pod "+pod+" is there")
		}
	}
	for _, pod := range o.gone {
		if slices.Contains(o.pods, pod) || slices.Contains(o.came, pod) || o.doubtful {
			continue
		}
		if o.spare--; o.spare < 0 {
			v.violated(r, r.Key, fmt.Sprintf("the pod %s went while it ran, which it does not name", pod))
		}
	}
}

// spare is how many more replicas the members have than the template, or than it had a moment ago.
func (l lows) spare(world history.World, a app, members []string, now time.Time) int64 {
	wanted, known := world[a.key].Int("spec", "replicas")
	if !known {
		return 0
	}
	return max(0, held(world, a, members)-l.of(a, now, wanted))
}

// held are the replicas that the members have, or are about to have by a Work or the scheduling result.
func held(world history.World, a app, members []string) int64 {
	sum, booked := int64(0), map[string]int64{}
	if binding, known := world[a.binding()]; known {
		booked, _ = shares(binding)
	}
	for _, member := range members {
		n, _ := world[a.in(member)].Int("spec", "replicas")
		asked, _ := a.asked(world, member)
		sum += max(n, asked, booked[member])
	}
	return sum
}

func remains(world history.World, a app, pod string) bool {
	for key, object := range world {
		if key.Resource == history.Pods && key.Plane+"/"+key.Name == pod && key.Namespace == a.key.Namespace {
			return object.Text("metadata", "deletionTimestamp") == ""
		}
	}
	return false
}
