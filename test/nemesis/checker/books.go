package checker

import (
	"fmt"
	"slices"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// booksWithin is how long a condition may say what is no longer so: its owner may be about to look.
const booksWithin = 30 * time.Second

// awayWithin is the same while a member cannot be reached: Karmada notices that only after a while, and so does everybody who asks it.
const awayWithin = 2 * time.Minute

// books is C1.
func books(h history.History, v *Verdict) {
	fleet, now := fleetOf(h), newFaults()
	since := map[history.Key]time.Time{}
	told := map[history.Key]bool{}
	world := history.World{}
	for _, r := range h.Records {
		now.hear(r)
		apply(world, r)
		for _, a := range fleet.apps {
			if !a.autoscaled() {
				continue
			}
			wrong := lies(world, a, fleet.members)
			if r.Resource == history.FedHPAs && r.Name == a.key.Name {
				v.Judged++
			}
			if wrong == "" || blind(now, r) || stoodStill(r) {
				delete(since, a.key)
				told[a.key] = false
				continue
			}
			if since[a.key].IsZero() {
				since[a.key] = r.At
			}
			within := booksWithin
			if slices.ContainsFunc(fleet.members, func(m string) bool { return now.anyLately(r.At, booksWithin, m) }) {
				within = awayWithin
			}
			if r.At.Sub(since[a.key]) > within && !told[a.key] {
				told[a.key] = true
				v.violated(r, a.own(history.FedHPAs), fmt.Sprintf("BooksAgree=True for %.0f s while %s", r.At.Sub(since[a.key]).Seconds(), wrong))
			}
		}
	}
}

// blind: who would have to see and say it does not run, or is just back.
func blind(now faults, r history.Record) bool {
	for _, process := range []string{
		"argosy/controller-manager", "karmada/apiserver", "karmada/controller-manager", "karmada/aggregated-apiserver",
	} {
		if now.lately(r.At, time.Second, process) {
			return true
		}
	}
	return false
}

// lies is what is unequal while the books are said to agree; empty when they are not said to, or do.
func lies(world history.World, a app, members []string) string {
	if world[a.own(history.FedHPAs)].Condition("BooksAgree").Text("status") != "True" {
		return ""
	}
	byMember, sum := shares(world[a.binding()])
	if total, ok := world[a.key].Int("spec", "replicas"); ok && total != sum {
		return fmt.Sprintf("the template says %d and the scheduling result %d", total, sum)
	}
	for _, m := range members {
		runs, ok := world[a.in(m)].Int("spec", "replicas")
		if ok && runs != byMember[m] {
			return fmt.Sprintf("%s has %d replicas and the scheduling result says %d", m, runs, byMember[m])
		}
	}
	return ""
}

func apply(world history.World, r history.Record) {
	switch r.Op {
	case history.Put:
		world[r.Key] = r.Object
	case history.Delete:
		delete(world, r.Key)
	}
}
