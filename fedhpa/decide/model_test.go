package decide

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// model is just enough of Karmada and its members to play the decisions against: it shows that they fit together in any order of
// events. That Karmada really behaves like this is proved in test/e2e, on Karmada.
type model struct {
	now time.Time
	// skew is how far the clock of the controller's machine is from the API server's.
	skew   time.Duration
	spec   api.FedHPASpec
	status api.FedHPAStatus
	// fedhpa object
	deleting, finalizer, gone bool
	deletedAt                 time.Time
	generation                int64

	template Template
	binding  bindingModel
	cached   bindingModel  // what the binding controller has been shown
	seen     *bindingModel // what the scheduler has read and not yet acted upon
	// version is the template's, and found the template that the detector has read and not yet acted upon.
	version int64
	found   *foundTemplate
	webhook bool
	// pull: members cannot be reached but by their own agents.
	pull bool
	// regions bounds how many regions are used.
	regions Spread

	members map[string]*memberModel

	overwrites int
	// scaled and booked are how often template and binding were written by the controller.
	scaled, booked int
	rounds         int
	limits         int32 // the sum of the limits sent and in force, when last checked
	faults         []string
	// cuts are replicas that a limit took from a member whose autoscaler could not look.
	cuts []string
}

// foundTemplate is a version of the template in the detector's hands.
type foundTemplate struct {
	version  int64
	replicas int32
}

type bindingModel struct {
	version, generation, observed int64
	// from is the template's version it was made from, and lettingGo the one noted in its annotation.
	from, lettingGo        int64
	replicas               int32
	clusters, ledger       Counts
	rescheduled, scheduled time.Time
}

func (b bindingModel) copy() bindingModel {
	b.clusters, b.ledger = maps.Clone(b.clusters), maps.Clone(b.ledger)
	return b
}

// memberModel is a member and the Works for it.
type memberModel struct {
	ready bool
	free  int32
	load  int32
	// waiting is how many replicas its scheduler finds no room for.
	waiting int32
	// Works in the control plane.
	work    *workModel
	hpaWork *split.Range
	hpaGone bool // the Work is being deleted
	// withheld: the Work is suspended. abandoned: it goes without a word to the member.
	withheld, abandoned bool
	// ill: its metrics are away. rival is the lower limit of another autoscaler of the same pods, 0 for none. surge is how many pods more a
	// rolling update runs for now.
	ill   bool
	rival int32
	surge int32
	// region and tier of its placement.
	region string
	tier   int
	// held: dispatching to it is suspended.
	held bool
	// mute: Karmada's writes of its autoscaler get no answer. arrives: they are carried out all the same. unanswered: the last one got none.
	mute, arrives, unanswered bool
	// dropped: the cluster was given up while it was away, so what its autoscaler holds was given to others.
	dropped bool
	// Objects in the member.
	exists   bool
	replicas int32
	peak     int32
	hpa      *split.Range
	ticked   bool
	// current and desired are the autoscaler's own words at its last tick.
	current, desired int32
	// What the member reported last.
	reported struct {
		replicas, surge  int32
		hpa              *split.Range
		ticked           bool
		current, desired int32
		fault            string
		ambiguous        bool
	}
}

type workModel struct {
	retain, applied bool
	replicas        int32
}

func newModel(spec api.FedHPASpec, clusters Counts) *model {
	m := &model{
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), spec: spec, generation: 1, webhook: true,
		template: Template{Replicas: clusters.Sum()},
		binding:  bindingModel{version: 1, generation: 1, observed: 1, replicas: clusters.Sum(), clusters: clusters},
		members:  map[string]*memberModel{},
	}
	for name, n := range clusters {
		m.members[name] = &memberModel{ready: true, free: 100, load: n}
	}
	m.deliver(false)
	for name := range m.members {
		m.execute(name)
		m.report(name)
	}
	return m
}

// find and detect are Karmada's detector: the binding's replicas are those of the template it read, which may have changed since; its
// write is tried again on a conflict.
func (m *model) find() {
	if m.found == nil {
		m.found = &foundTemplate{version: m.version, replicas: m.template.Replicas}
	}
}

func (m *model) detect() {
	m.find()
	want := m.found.replicas
	if sum := m.binding.clusters.Sum(); m.webhook && m.binding.ledger != nil && want != 0 && sum > 0 {
		want = sum
	}
	if m.binding.replicas != want {
		m.binding.replicas = want
		m.binding.generation++
	}
	m.binding.from = m.found.version
	m.binding.version++
	m.found = nil
}

// read and write are karmada-scheduler: it works from what it read, and its patch bears no version.
func (m *model) read() {
	seen := m.binding.copy()
	m.seen = &seen
}

func (m *model) write() {
	if m.seen == nil {
		return
	}
	seen := *m.seen
	m.seen = nil
	if seen.clusters.Sum() == seen.replicas && !seen.rescheduled.After(m.binding.scheduled) {
		if m.binding.observed < seen.generation {
			m.binding.observed = seen.generation
			m.binding.version++
		}
		return
	}
	var parties []split.Party
	names := slices.Sorted(maps.Keys(m.members))
	for _, name := range names {
		if m.members[name].ready && m.allowed(name, seen.clusters) {
			parties = append(parties, split.Party{Name: name, Weight: int64(1 + m.members[name].free), Lo: 0, Hi: seen.replicas})
		}
	}
	seats, _ := split.Bounded(seen.replicas, parties, "scheduler")
	result := Counts{}
	for i, p := range parties {
		if seats[i] > 0 {
			result[p.Name] = seats[i]
		}
	}
	m.binding.clusters = result
	m.binding.generation++
	m.binding.observed = seen.generation
	if result.String() == seen.clusters.String() {
		m.binding.generation--
	}
	m.binding.scheduled = m.now
	m.binding.version++
}

// owned reports whether every member that runs the workload owns its replicas: before that a rebalance cuts them, which is Karmada's own.
func (m *model) owned() bool {
	for _, member := range m.members {
		if member.exists && member.hpa == nil {
			return false
		}
	}
	return true
}

// rebalancer is a WorkloadRebalancer: the scheduler is to divide from scratch.
func (m *model) rebalancer() {
	m.binding.rescheduled = m.now
	m.binding.generation++
	m.binding.version++
}

// deliver is the binding controller: one Work per cluster of the result. Binding and template come to it in two streams, so that its
// binding may be older than its template.
func (m *model) deliver(late bool) {
	if !late {
		m.cached = m.binding.copy()
	}
	for name, member := range m.members {
		n, in := m.cached.clusters[name]
		switch {
		case !in:
			member.work = nil
		case member.work == nil:
			member.work = &workModel{retain: m.template.Retain, replicas: n}
		default:
			member.work.retain, member.work.replicas = m.template.Retain, n
		}
	}
}

// execute is the execution controller for one member.
func (m *model) execute(name string) {
	member := m.members[name]
	if !member.ready {
		return
	}
	if member.held {
		// Karmada stops what it creates and updates, and deletes all the same.
		if member.hpaGone {
			member.hpa, member.hpaWork, member.hpaGone, member.ticked = nil, nil, false, false
		}
		return
	}
	switch {
	case member.work == nil:
		member.exists, member.replicas = false, 0
	case !member.exists:
		member.exists, member.replicas = true, member.work.replicas
		member.work.applied = true
	default:
		if !member.work.retain {
			if member.work.replicas != member.replicas && member.hpa != nil {
				m.fault("%s is set from %d to %d replicas though its autoscaler owns them", name, member.replicas, member.work.replicas)
			}
			if member.work.replicas < member.replicas {
				m.fault("%s loses replicas: %d to %d", name, member.replicas, member.work.replicas)
			}
			member.replicas = member.work.replicas
		}
		member.work.applied = true
	}
	switch {
	case member.abandoned:
		member.hpaWork, member.abandoned, member.withheld = nil, false, false
	case member.hpaWork == nil || member.withheld && !member.hpaGone:
	case member.hpaGone:
		member.hpa, member.hpaWork, member.hpaGone, member.ticked = nil, nil, false, false
	default:
		member.unanswered = member.mute
		if !member.mute || member.arrives {
			r := *member.hpaWork
			member.hpa = &r
		}
	}
}

// tick is the member's own autoscaler: it goes on whether anybody can reach the member or not. As in Kubernetes' own
// (pkg/controller/podautoscaler/horizontal.go) limits hold without any metric, and desiredReplicas stays as it was while there is none.
func (m *model) tick(name string) {
	member := m.members[name]
	if !member.exists {
		return
	}
	if member.rival > 0 && (member.hpa == nil || member.replicas < member.rival) {
		member.replicas = max(member.load, member.rival)
	}
	if member.hpa == nil {
		return
	}
	member.current = member.replicas
	inside := min(max(member.replicas, member.hpa.Min), member.hpa.Max)
	switch {
	case member.ill || member.rival > 0:
		if inside < member.replicas {
			m.cuts = append(m.cuts, fmt.Sprintf("%s is cut from %d to %d though nobody knows its load", name, member.replicas, inside))
		}
		if inside != member.replicas {
			member.replicas, member.desired = inside, inside
		}
	default:
		member.replicas = min(max(member.load, member.hpa.Min), member.hpa.Max)
		member.desired = member.replicas
	}
	member.peak = max(member.peak, member.replicas)
	member.ticked = true
}

// report is Karmada's status collection.
func (m *model) report(name string) {
	member := m.members[name]
	if !member.ready {
		return
	}
	member.reported.replicas = member.replicas
	member.reported.hpa, member.reported.ticked, member.reported.surge = nil, member.ticked, member.surge
	member.reported.current, member.reported.desired = member.current, member.desired
	member.reported.fault, member.reported.ambiguous = "", member.rival > 0 && member.hpa != nil && member.ticked
	switch {
	case member.reported.ambiguous:
		member.reported.fault = "pods by selector app=web are controlled by multiple HPAs (AmbiguousSelector)"
	case member.ill && member.ticked:
		member.reported.fault = "no metrics (FailedGetResourceMetric)"
	}
	if member.hpa != nil {
		r := *member.hpa
		member.reported.hpa = &r
	}
}

func (m *model) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

// restRounds of half a minute are longer than any pause between two repairs.
const restRounds = int(pushedBackTop/(30*time.Second)) + 1

// settle lets everything happen, in order, until nothing is left to do.
func (m *model) settle() error {
	// A repair may be pausing: rest is a while without any write.
	for quiet := 0; m.rounds < 400; m.rounds++ {
		m.now = m.now.Add(30 * time.Second)
		m.detect() // what it was at
		m.detect()
		m.read()
		m.write()
		m.deliver(false)
		for _, name := range slices.Sorted(maps.Keys(m.members)) {
			m.execute(name)
			m.tick(name)
			m.report(name)
		}
		if plan := m.reconcile(-1); len(plan.Actions) > 0 || m.binding.generation != m.binding.observed {
			quiet = 0
		} else if quiet++; quiet == restRounds {
			m.rounds = 0
			return nil
		}
	}
	return fmt.Errorf("never at rest: %+v %+v", m.binding, m.status)
}

// step does one random thing.
func (m *model) step(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
	names := slices.Sorted(maps.Keys(m.members))
	name := names[rapid.IntRange(0, len(names)-1).Draw(t, "member")]
	switch rapid.SampledFrom([]string{
		"find",
		"detect",
		"read",
		"write",
		"deliver",
		"execute",
		"tick",
		"report",
		"reconcile",
		"reconcile",
		"die",
	}).Draw(t, "step") {
	case "find":
		m.find()
	case "detect":
		m.detect()
	case "read":
		m.read()
	case "write":
		m.write()
	case "deliver":
		m.deliver(rapid.Bool().Draw(t, "late"))
	case "execute":
		m.execute(name)
	case "tick":
		m.tick(name)
	case "report":
		m.report(name)
	case "reconcile":
		m.reconcile(-1)
	case "die":
		m.reconcile(rapid.IntRange(0, 3).Draw(t, "after"))
	}
}
