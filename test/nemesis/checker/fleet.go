package checker

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// app is an application, by what its owner said.
type app struct {
	// use is how: by hand, by a FedHPA.
	use string
	key history.Key
}

// fleet is all applications of a history, and the members it has.
type fleet struct {
	apps    []app
	members []string
}

func fleetOf(h history.History) fleet {
	seen, planes := map[history.Key]string{}, map[string]bool{}
	for _, r := range h.Records {
		if n := r.Note; n != nil && n.Kind == history.Intent && n.Subject != nil {
			seen[*n.Subject] = n.Name
		}
		if r.Plane != "" && r.Plane != history.ControlPlane {
			planes[r.Plane] = true
		}
	}
	f := fleet{members: slices.Sorted(maps.Keys(planes))}
	for key, use := range seen {
		f.apps = append(f.apps, app{use: use, key: key})
	}
	slices.SortFunc(f.apps, func(a, b app) int { return strings.Compare(a.key.String(), b.key.String()) })
	return f
}

// of finds the application that an object of any plane belongs to, by its own name.
func (f fleet) of(key history.Key) (app, bool) {
	key.Plane = history.ControlPlane
	i := slices.IndexFunc(f.apps, func(a app) bool { return a.key == key })
	if i < 0 {
		return app{}, false
	}
	return f.apps[i], true
}

// autoscaled tells whether members' autoscalers own its replicas.
func (a app) autoscaled() bool { return strings.HasPrefix(a.use, "fed") }

func (a app) in(member string) history.Key {
	key := a.key
	key.Plane = member
	return key
}

func (a app) kind() string {
	return strings.TrimSuffix(a.key.Resource[strings.LastIndex(a.key.Resource, "/")+1:], "s")
}

func (a app) binding() history.Key {
	return history.Key{Plane: history.ControlPlane, Resource: history.Bindings, Namespace: a.key.Namespace, Name: a.key.Name + "-" + a.kind()}
}

func (a app) own(resource string) history.Key {
	return history.Key{Plane: history.ControlPlane, Resource: resource, Namespace: a.key.Namespace, Name: a.key.Name}
}

// shares is the scheduling result, and its sum.
func shares(binding history.Object) (map[string]int64, int64) {
	out, sum := map[string]int64{}, int64(0)
	for _, c := range binding.List("spec", "clusters") {
		n, _ := c.Int("replicas")
		out[c.Text("name")] = n
		sum += n
	}
	return out, sum
}

// asked is what the manifest for a member says, and whether there is one.
func (a app) asked(world history.World, member string) (int64, bool) {
	for key, work := range world {
		if key.Resource != history.Works || key.Namespace != "karmada-es-"+member {
			continue
		}
		for _, m := range work.List("spec", "workload", "manifests") {
			same := m.Text("metadata", "name") == a.key.Name && m.Text("metadata", "namespace") == a.key.Namespace
			if same && strings.EqualFold(m.Text("kind"), a.kind()) {
				return m.Int("spec", "replicas")
			}
		}
	}
	return 0, false
}

// wants follows what owners asked for.
type wants map[history.Key][]want

type want struct {
	replicas int64
	since    time.Time
}

// hear takes a note in.
func (w wants) hear(r history.Record) {
	if n := r.Note; n != nil && n.Kind == history.Intent && n.Subject != nil {
		w[*n.Subject] = append(w[*n.Subject], want{n.Value, r.At})
	}
}

// last is what is wanted now.
func (w wants) last(a app) (int64, bool) {
	of := w[a.key]
	if len(of) == 0 {
		return 0, false
	}
	return of[len(of)-1].replicas, true
}

// slack is how long what somebody wanted before may still be on its way.
const slack = 3 * time.Minute

// least is the smallest number that was wanted lately: writes of what was asked for before may still be on their way.
func (w wants) least(a app, world history.World, now time.Time) int64 {
	if a.autoscaled() {
		n, _ := world[a.own(history.FedHPAs)].Int("spec", "minReplicas")
		return n
	}
	of := w[a.key]
	least := int64(1<<62 - 1)
	for i, one := range of {
		until := now
		if i+1 < len(of) {
			until = of[i+1].since
		}
		if now.Sub(until) < slack {
			least = min(least, one.replicas)
		}
	}
	for _, rule := range world[a.own(history.CronHPAs)].List("spec", "rules") {
		if n, ok := rule.Int("targetReplicas"); ok {
			least = min(least, n)
		}
	}
	return least
}

// faults follows what goes wrong just now, and when each ended last.
type faults struct {
	running map[string]int
	ended   map[string]time.Time
}

func newFaults() faults { return faults{map[string]int{}, map[string]time.Time{}} }

// hear takes a note in. What stops a process or a wire counts under its target alone, the rest under name and target.
func (f faults) hear(r history.Record) {
	n := r.Note
	if n == nil || n.Kind != history.Fault {
		return
	}
	id := n.Name + " " + n.Target
	switch n.Name {
	case "kill", "pause", "died", "cut", "half-open", "slow", "refuse":
		id = n.Target
	}
	if n.Ends {
		f.running[id]--
		f.ended[id] = r.At
	} else {
		f.running[id]++
	}
}

// lately tells whether a fault runs, or did within so long.
func (f faults) lately(now time.Time, within time.Duration, id string) bool {
	at, ok := f.ended[id]
	return f.running[id] > 0 || ok && now.Sub(at) < within
}

// anyLately is lately for all faults whose name or target begins so.
func (f faults) anyLately(now time.Time, within time.Duration, prefix string) bool {
	for id := range f.running {
		if strings.HasPrefix(id, prefix) && f.lately(now, within, id) {
			return true
		}
	}
	return false
}

// phases follows in which phase the run is.
func phase(r history.Record) string {
	if r.Note != nil && r.Note.Kind == history.Phase {
		return r.Note.Name
	}
	return ""
}

// stoodStill tells of a note that says that the machine did.
func stoodStill(r history.Record) bool {
	return r.Note != nil && r.Note.Kind == history.Pressure && r.Note.Value > 1000
}
