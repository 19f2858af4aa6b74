package checker

import (
	"fmt"
	"strings"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// static is C3; it needs a history that says who.
func static(h history.History, v *Verdict) {
	isStatic := map[history.Key]bool{}
	h.Replay(func(_ history.World, _ history.Object, r history.Record) {
		if r.Resource == history.Migrations {
			workload := history.Key{
				Plane: history.ControlPlane, Namespace: r.Namespace, Name: r.Object.Text("spec", "name"),
				Resource: history.ResourceOf(r.Object.Text("spec", "apiVersion"), r.Object.Text("spec", "kind")),
			}
			isStatic[workload] = r.Object.Text("status", "management") == "Static"
			return
		}
		key := r.Key
		key.Plane = history.ControlPlane
		if r.Plane == history.ControlPlane || !isStatic[key] {
			return
		}
		v.Judged++
		if strings.HasPrefix(r.Agent, "karmada") || strings.HasPrefix(r.Agent, "argosy") {
			v.violated(r, r.Key, fmt.Sprintf("%s by %s (%s) while it is Static", r.Op, r.Agent, r.Who))
		}
	})
}

// approvals is C7.
func approvals(h history.History, v *Verdict) {
	h.Replay(func(_ history.World, before history.Object, r history.Record) {
		if r.Resource != history.Migrations || r.Op != history.Put || before == nil {
			return
		}
		demanded, _ := before.Int("status", "requiredApprovals")
		plan := r.Object.Text("status", "plan", "hash")
		for _, c := range r.Object.List("status", "clusters") {
			name := c.Text("name")
			if c.Text("state") == "Suspended" || stateOf(before, name) != "Suspended" {
				continue
			}
			v.Judged++
			if n := approvers(r.Object, plan); int64(n) < demanded {
				v.violated(r, r.Key, fmt.Sprintf("%s opens, approved by %d users, and its plan demands %d", name, n, demanded))
			}
		}
	})
}

func stateOf(migration history.Object, cluster string) string {
	for _, c := range migration.List("status", "clusters") {
		if c.Text("name") == cluster {
			return c.Text("state")
		}
	}
	return "Suspended" // it was not known, so it was not open
}

// approvers of a plan: each user counts once.
func approvers(migration history.Object, plan string) int {
	users := map[string]bool{}
	for _, a := range migration.List("spec", "approvals") {
		if a.Text("planHash") == plan && a.Text("user") != "" {
			users[a.Text("user")] = true
		}
	}
	return len(users)
}

// roles is C15; it needs a history that says who.
func roles(h history.History, v *Verdict) {
	h.Replay(func(_ history.World, before history.Object, r history.Record) {
		if n := r.Note; n != nil && n.Kind == history.Operation && n.Name == history.Trespass {
			v.violated(r, history.Key{Plane: history.ControlPlane, Resource: n.Name, Name: n.Target}, "somebody approved who has no right to")
			return
		}
		if r.Resource != history.Migrations && r.Resource != history.Releases || r.Op != history.Put || r.Who == "" {
			return
		}
		// What is approved: a plan of a Migration, a stage of a Release's revision.
		of := func(a history.Object) string {
			return a.Text("user") + " " + a.Text("planHash") + a.Text("revision") + " " + a.Text("stage")
		}
		known := map[string]bool{}
		for _, a := range before.List("spec", "approvals") {
			known[of(a)] = true
		}
		for _, a := range r.Object.List("spec", "approvals") {
			if known[of(a)] {
				continue
			}
			v.Judged++
			if a.Text("user") != r.Who {
				v.violated(r, r.Key, fmt.Sprintf("%s approved in the name of %s", r.Who, a.Text("user")))
			}
		}
	})
}
