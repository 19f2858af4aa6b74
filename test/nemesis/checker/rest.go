package checker

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// Unsettled is what is not yet as its owners want it, at the end of a history: what C11 and C4 would say of it at rest.
func Unsettled(h history.History) []string {
	fleet, wanted, gone := fleetOf(h), wants{}, false
	pushed := newCanaries(fleet)
	world := h.Replay(func(_ history.World, before history.Object, r history.Record) {
		wanted.hear(r)
		pushed.hear(before, r)
		gone = gone || phase(r) == history.PhaseGone
	})
	if gone {
		return nil
	}
	out := unsettled(fleet, wanted, world, h.End())
	for _, a := range pushed.apps() {
		if _, wrong := pushed.atRest(world, a); wrong != "" {
			out = append(out, a.key.Name+": "+wrong)
		}
	}
	return out
}

func unsettled(fleet fleet, wanted wants, world history.World, now time.Time) []string {
	var out []string
	for _, a := range fleet.apps {
		for _, what := range a.unsettled(fleet.members, wanted, world, now) {
			out = append(out, a.key.Name+": "+what)
		}
	}
	return out
}

func (a app) unsettled(members []string, wanted wants, world history.World, now time.Time) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	total, ok := world[a.key].Int("spec", "replicas")
	if !ok {
		return []string{"there is no template"}
	}
	if want, known := a.want(wanted, world, now); known && want != total {
		say("its owner wants %d replicas and the template says %d", want, total)
	}
	byMember, sum := shares(world[a.binding()])
	if sum != total {
		say("the template says %d and the scheduling result %d", total, sum)
	}
	for _, m := range members {
		workload := world[a.in(m)]
		runs, _ := workload.Int("spec", "replicas")
		if runs != byMember[m] {
			say("%s has %d replicas and the scheduling result says %d", m, runs, byMember[m])
		}
		if ready, _ := workload.Int("status", "readyReplicas"); ready != runs {
			say("%d of %d replicas in %s are ready", ready, runs, m)
		}
	}
	return append(out, a.doubts(world)...)
}

// want is what an owner wants now, if it can be told: a timetable wants what its last firing asked for, load is what it is.
func (a app) want(wanted wants, world history.World, now time.Time) (int64, bool) {
	if a.autoscaled() {
		return 0, false
	}
	cronHPA := world[a.own(history.CronHPAs)]
	if cronHPA == nil {
		return wanted.last(a)
	}
	var at time.Time
	var want int64
	for _, rule := range cronHPA.List("spec", "rules") {
		schedule, err := cron.ParseStandard(rule.Text("schedule"))
		if err != nil {
			return 0, false
		}
		for due := schedule.Next(now.UTC().Add(-time.Hour)); !due.After(now); due = schedule.Next(due) {
			if !due.Before(at) {
				at = due
				want, _ = rule.Int("targetReplicas")
			}
		}
	}
	created, err := time.Parse(time.RFC3339, cronHPA.Text("metadata", "creationTimestamp"))
	if err != nil || !at.After(created) {
		return wanted.last(a)
	}
	return want, true
}

// doubts are conditions of the application's autoscalers and timetables that are not True at rest, and a release that is not at its end.
func (a app) doubts(world history.World) []string {
	var out []string
	for _, resource := range []string{history.FedHPAs, history.CronHPAs} {
		object := world[a.own(resource)]
		if a.autoscaled() && resource == history.FedHPAs && object.Condition("Ready") == nil {
			out = append(out, "its FedHPA says nothing yet")
		}
		for _, c := range object.List("status", "conditions") {
			// Pods that wait for room are the lab's own shortage.
			if c.Text("status") != "True" && c.Text("type") != "CapacitySufficient" {
				out = append(out, fmt.Sprintf("%s=%s %s: %s", c.Text("type"), c.Text("status"), c.Text("reason"), c.Text("message")))
			}
		}
	}
	if release := world[a.own(history.Releases)]; a.use == "staged" {
		is := func(kind string) bool { return release.Condition(kind).Text("status") == "True" }
		if !is("Adopted") || !is("Complete") && !is("RolledBack") {
			out = append(out, fmt.Sprintf("its Release is neither complete nor rolled back: %s=%s %s", "Progressing",
				release.Condition("Progressing").Text("status"), release.Condition("Progressing").Text("message")))
		}
	}
	return out
}

// liveness is C11.
func liveness(h history.History, v *Verdict) {
	fleet, wanted := fleetOf(h), wants{}
	h.Replay(func(world history.World, _ history.Object, r history.Record) {
		wanted.hear(r)
		if phase(r) != history.PhaseRest || r.Note.Text != "" {
			return
		}
		v.Judged += len(fleet.apps)
		for _, what := range unsettled(fleet, wanted, world, r.At) {
			v.violated(r, history.Key{Plane: history.ControlPlane, Resource: "run", Name: "rest"}, what)
		}
	})
}

// Remains is what is left of the applications, at the end of a history.
func Remains(h history.History) []string {
	world := h.Replay(func(history.World, history.Object, history.Record) {})
	return remainsOf(fleetOf(h), world)
}

func remainsOf(fleet fleet, world history.World) []string {
	namespaces := map[string]bool{}
	for _, a := range fleet.apps {
		namespaces[a.key.Namespace] = true
	}
	var out []string
	for key, object := range world {
		ours := namespaces[key.Namespace]
		for _, m := range object.List("spec", "workload", "manifests") {
			ours = ours || namespaces[m.Text("metadata", "namespace")]
		}
		if ours && key.Resource != history.Events {
			out = append(out, key.String())
		}
	}
	slices.Sort(out)
	return out
}

// leftovers is C14.
func leftovers(h history.History, v *Verdict) {
	fleet := fleetOf(h)
	h.Replay(func(world history.World, _ history.Object, r history.Record) {
		if phase(r) != history.PhaseGone || r.Note.Text != "" {
			return
		}
		v.Judged += len(fleet.apps)
		if left := remainsOf(fleet, world); len(left) > 0 {
			v.violated(r, history.Key{Plane: history.ControlPlane, Resource: "run", Name: "gone"}, "left: "+strings.Join(left, ", "))
		}
	})
}
