package checker

import (
	"fmt"
	"slices"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// askedLately is how long pods may still come that were asked for before.
const askedLately = time.Minute

// ask is how many pods of an image a template asked for, from a time on.
type ask struct {
	at    time.Time
	image string
	pods  int64
	// all: it asked for no other.
	all bool
}

// canaries follow CloneSets that are pushed.
type canaries struct {
	fleet fleet
	now   faults
	asks  map[history.Key][]ask
	anew  anew
}

func newCanaries(of fleet) canaries {
	return canaries{fleet: of, now: newFaults(), asks: map[history.Key][]ask{}, anew: anew{}}
}

func (c canaries) hear(before history.Object, r history.Record) {
	c.now.hear(r)
	a, ok := c.fleet.of(r.Key)
	if !ok || a.use != "push" || r.Op != history.Put {
		return
	}
	if r.Plane == history.ControlPlane {
		c.asks[a.key] = append(c.asks[a.key], asking(r))
	}
	c.anew.hear(a, before, r, c.now)
}

// apps of which somebody asked for something.
func (c canaries) apps() []app {
	return slices.DeleteFunc(slices.Clone(c.fleet.apps), func(a app) bool { return len(c.asks[a.key]) == 0 })
}

// canary is C4.
func canary(h history.History, v *Verdict) {
	c, over := newCanaries(fleetOf(h)), false
	h.Replay(func(world history.World, before history.Object, r history.Record) {
		c.hear(before, r)
		over = over || phase(r) == history.PhaseRest
		for _, a := range c.apps() {
			switch {
			case phase(r) == history.PhaseRest && r.Note.Text == "":
				judged, wrong := c.atRest(world, a)
				if judged {
					v.Judged++
				}
				if wrong != "" {
					v.violated(r, a.key, wrong)
				}
			case !over && before == nil && r.Op == history.Put && r.Resource == history.Pods && belongs(r.Object, a):
				comes(world, a, c.asks[a.key], c.anew, r, v, c.now.anyLately(r.At, askedLately, "taint "))
			}
		}
	})
}

// anew are the images of members' CloneSets that Karmada made again after somebody deleted them by hand. A new object has no pods of an
// older image for a partition to keep: all of them are of the newest.
type anew map[history.Key]string

// hear follows CloneSets that are created in members.
func (n anew) hear(a app, before history.Object, r history.Record, now faults) {
	if r.Plane == history.ControlPlane || before != nil {
		return
	}
	delete(n, r.Key)
	if byHand(now, a, r) {
		n[r.Key] = r.Object.Text("spec", "template", "images")
	}
}

// held tells whether a partition holds back an image of an application in a member.
func (n anew) held(a app, member, image string) bool { return n[a.in(member)] != image }

// atRest there are as many pods of the newest image as are asked for; more only in members where no partition holds it back, or where more
// were asked for before: OpenKruise takes none back when a partition is raised (its gate CloneSetPartitionRollback is off).
func (c canaries) atRest(world history.World, a app) (judged bool, wrong string) {
	asks := c.asks[a.key]
	newest := asks[len(asks)-1]
	if whole(asks) && !newest.all {
		return false, ""
	}
	held, all := int64(0), int64(0)
	for _, pods := range podsIn(world, a, newest.image, c.anew) {
		held += pods
	}
	for _, pods := range podsIn(world, a, newest.image, nil) {
		all += pods
	}
	if held > ever(asks, newest.image) || all < newest.pods {
		wrong = fmt.Sprintf("%d pods of %s at rest, and %d are asked for", all, newest.image, newest.pods)
	}
	return true, wrong
}

// comes judges a pod that was just made. What moves comes elsewhere before it goes: evicted pods, and those in a member beyond what the
// scheduling result gives it.
func comes(world history.World, a app, asks []ask, anew anew, r history.Record, v *Verdict, evicted bool) {
	newest := asks[len(asks)-1]
	if r.Object.Text("spec", "images") != newest.image || whole(asks) || !anew.held(a, r.Plane, newest.image) {
		return
	}
	v.Judged++
	most := most(asks, newest.image, r.At)
	pods := podsIn(world, a, newest.image, anew)
	pods[r.Plane]++
	n, booked := int64(0), world[a.binding()]
	shares, _ := shares(booked)
	for member, there := range pods {
		if booked != nil {
			there = min(there, shares[member])
		}
		n += there
	}
	if n > most && !evicted {
		v.violated(r, a.key, fmt.Sprintf("pod %s is number %d of %s, and %d were asked for in the last minute", r.Name, n, newest.image, most))
	}
}

func asking(r history.Record) ask {
	total, _ := r.Object.Int("spec", "replicas")
	partition, _ := r.Object.Int("spec", "updateStrategy", "partition")
	return ask{r.At, r.Object.Text("spec", "template", "images"), max(0, total-partition), partition == 0}
}

// whole tells whether the newest image may be the only one there is: it is the first, or was once asked for without a partition. A
// partition holds back no pod then, for there is no older image to keep.
func whole(asks []ask) bool {
	newest := asks[len(asks)-1].image
	return asks[0].image == newest || slices.ContainsFunc(asks, func(a ask) bool { return a.image == newest && a.all })
}

// ever is the most that was asked for of an image at any time.
func ever(asks []ask, image string) int64 {
	out := int64(0)
	for _, one := range asks {
		if one.image == image {
			out = max(out, one.pods)
		}
	}
	return out
}

// most that was asked for lately.
func most(asks []ask, image string, now time.Time) int64 {
	out := int64(0)
	for i, one := range asks {
		until := now
		if i+1 < len(asks) {
			until = asks[i+1].at
		}
		if one.image == image && now.Sub(until) < askedLately {
			out = max(out, one.pods)
		}
	}
	return out
}

func belongs(pod history.Object, a app) bool {
	return pod.Text("metadata", "namespace") == a.key.Namespace && pod.Meta("labels", "app") == a.key.Name
}

// podsIn members of an image that are not on their way out, where a partition holds it back.
func podsIn(world history.World, a app, image string, anew anew) map[string]int64 {
	out := map[string]int64{}
	for key, pod := range world {
		stays := pod.Text("metadata", "deletionTimestamp") == ""
		if key.Resource == history.Pods && stays && belongs(pod, a) && pod.Text("spec", "images") == image {
			if anew.held(a, key.Plane, image) {
				out[key.Plane]++
			}
		}
	}
	return out
}
