package checker

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// replicas is C2.
func replicas(h history.History, v *Verdict) {
	fleet, now, wanted, orders, limits, dropped := fleetOf(h), newFaults(), wants{}, sent{}, lowest{}, newDropped()
	leaving := false
	h.Replay(func(world history.World, before history.Object, r history.Record) {
		now.hear(r)
		wanted.hear(r)
		orders.hear(r)
		limits.hear(before, r)
		dropped.hear(fleet, world, now, r)
		leaving = leaving || phase(r) == history.PhaseRest // from here on all is deleted
		a, ok := fleet.of(r.Key)
		had, counted := before.Int("spec", "replicas")
		if !ok || !counted || leaving {
			return
		}
		has, _ := r.Object.Int("spec", "replicas")
		if r.Op == history.Put && has >= had || had == 0 {
			return
		}
		v.Judged++
		least := wanted.least(a, world, r.At)
		if r.Plane == history.ControlPlane {
			if has < least && !now.anyLately(r.At, slack, "taint ") {
				v.violated(r, r.Key, fmt.Sprintf("the template fell from %d to %d, and %d is the least its owner wanted lately", had, has, least))
			}
			return
		}
		if r.Op == history.Delete && dropped.works[a.in(r.Plane)] {
			return
		}
		if why := unexplained(world, now, orders, limits, a, r, least); why != "" {
			v.violated(r, r.Key, fmt.Sprintf("%s fell from %d to %d: %s", r.Plane, had, has, why))
		}
	})
}

// unexplained says why a fall in a member is nobody's right.
func unexplained(world history.World, now faults, orders sent, limits lowest, a app, r history.Record, least int64) string {
	has, _ := r.Object.Int("spec", "replicas")
	if byHand(now, a, r) || r.Op == history.Put && a.autoscaled() && has >= limits.of(world, a, r.Plane, r.At) {
		return ""
	}
	asked, isSent := a.asked(world, r.Plane)
	if r.Op == history.Put && asked != has && !orders.lately(a, r.Plane, has, r.At) {
		return fmt.Sprintf("and its Work asks for %d", asked)
	}
	byMember, sum := shares(world[a.binding()])
	switch {
	case r.Op == history.Delete && byMember[r.Plane] > 0 && isSent:
		return fmt.Sprintf("and the scheduling result gives it %d", byMember[r.Plane])
	case sum < least && !displaced(now, a, r):
		return fmt.Sprintf("and the scheduling result adds up to %d, when %d is the least its owner wanted lately", sum, least)
	}
	return ""
}

// dropped are the applications in members whose Work began to be deleted by hand, or by Karmada when the scheduling result did not name the
// member, or had not a moment before: what the Work made goes then, however long that takes, though the scheduler may have come back to the
// member meanwhile.
type dropped struct {
	works map[history.Key]bool
	// unnamed is when the scheduling result last did not name the member.
	unnamed map[history.Key]time.Time
}

// boundBefore is how long karmada-controller-manager may act on the scheduling result that it read before: its cache is late on a busy
// machine.
const boundBefore = 5 * time.Second

func newDropped() dropped { return dropped{map[history.Key]bool{}, map[history.Key]time.Time{}} }

func (d dropped) hear(f fleet, world history.World, now faults, r history.Record) {
	member, ok := strings.CutPrefix(r.Namespace, "karmada-es-")
	for _, a := range f.apps {
		shares, _ := shares(world[a.binding()])
		switch {
		case r.Op == history.Put && r.Key == a.binding():
			for _, m := range f.members {
				if shares[m] == 0 {
					d.unnamed[a.in(m)] = r.At // until now
				}
			}
		case r.Op == history.Put && r.Resource == history.Works && ok && carries(r.Object, a):
			leaves, key := r.Object.Text("metadata", "deletionTimestamp") != "", a.in(member)
			until, was := d.unnamed[key]
			d.works[key] = leaves && (d.works[key] || shares[member] == 0 || was && r.At.Sub(until) < boundBefore ||
				now.lately(r.At, 0, "hand-work "+key.Name+"@"+member))
		}
	}
}

// carries says whether a Work has the manifest of an application.
func carries(work history.Object, a app) bool {
	return slices.ContainsFunc(work.List("spec", "workload", "manifests"), func(m history.Object) bool {
		return m.Text("metadata", "name") == a.key.Name && m.Text("metadata", "namespace") == a.key.Namespace &&
			strings.EqualFold(m.Text("kind"), a.kind())
	})
}

// sent is what Works asked of members, and until when: what a wire held back arrives late.
type sent map[ordered]time.Time

type ordered struct {
	member, namespace, kind, name string
	replicas                      int64
}

func (s sent) hear(r history.Record) {
	member, ok := strings.CutPrefix(r.Namespace, "karmada-es-")
	if r.Resource != history.Works || !ok {
		return
	}
	for _, m := range r.Object.List("spec", "workload", "manifests") {
		if n, ok := m.Int("spec", "replicas"); ok {
			s[ordered{member, m.Text("metadata", "namespace"), strings.ToLower(m.Text("kind")), m.Text("metadata", "name"), n}] = r.At
		}
	}
}

// lately tells whether a Work asked for so many not long ago.
func (s sent) lately(a app, member string, replicas int64, now time.Time) bool {
	at, ok := s[ordered{member, a.key.Namespace, a.kind(), a.key.Name, replicas}]
	return ok && now.Sub(at) < slack
}

// byHand tells whether somebody changed an application in a member lately, or what reaches it. A Work that was deleted takes its time to
// go while another member is cut off.
func byHand(now faults, a app, r history.Record) bool {
	for _, what := range []string{"hand-scale ", "hand-delete ", "hand-work "} {
		if now.lately(r.At, slack, what+a.key.Name+"@"+r.Plane) {
			return true
		}
	}
	return false
}

// displaced tells whether Karmada evicted something lately, or somebody edited the scheduling result.
func displaced(now faults, a app, r history.Record) bool {
	return now.anyLately(r.At, slack, "taint ") || now.lately(r.At, slack, "hand-binding "+a.key.Name)
}

// lowest follows lower limits of autoscalers that were raised: which, and when.
type lowest map[history.Key]limit

type limit struct {
	least int64
	until time.Time
}

// looksWithin is how long an autoscaler may act on what it read before: it looks each 15 s.
const looksWithin = 15 * time.Second

func (l lowest) hear(before history.Object, r history.Record) {
	if r.Resource != history.HPAs || r.Op != history.Put {
		return
	}
	had, ok := before.Int("spec", "minReplicas")
	if has, _ := r.Object.Int("spec", "minReplicas"); !ok || has <= had {
		return
	}
	if known := l[r.Key]; r.At.Sub(known.until) < looksWithin {
		had = min(had, known.least)
	}
	l[r.Key] = limit{had, r.At}
}

// of an application in a member: the lower limit of the one that scales it, or what that was lately; more than any count where there is
// none.
func (l lowest) of(world history.World, a app, member string, now time.Time) int64 {
	for key, hpa := range world {
		if key.Plane != member || key.Resource != history.HPAs || key.Namespace != a.key.Namespace ||
			hpa.Text("spec", "scaleTargetRef", "name") != a.key.Name || !strings.EqualFold(hpa.Text("spec", "scaleTargetRef", "kind"), a.kind()) {
			continue
		}
		n, ok := hpa.Int("spec", "minReplicas")
		if !ok {
			n = 1
		}
		if known, raised := l[key]; raised && now.Sub(known.until) < looksWithin {
			n = min(n, known.least)
		}
		return n
	}
	return math.MaxInt64
}
