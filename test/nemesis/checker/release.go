package checker

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// markRevision is on a manifest and on the member's object made of it.
const markRevision = "release.argosy.dev/revision"

// closedLately is how long a write may still come that was decided on while a revision was open.
const closedLately = time.Minute

// opened follows where each revision of a staged application may be: by cluster and revision since when it may not any more, zero while it
// may.
type opened map[string]map[string]time.Time

// hear what a Release says from now on.
func (o opened) hear(release history.Object, members []string, at time.Time) {
	revision, stable := release.Text("status", "dispatch", "revision"), release.Text("status", "dispatch", "stable")
	open, _ := release.Field("status", "dispatch", "open").([]any)
	for _, member := range members {
		if o[member] == nil {
			o[member] = map[string]time.Time{}
		}
		may := func(candidate string) bool {
			return candidate == stable || candidate == revision && (slices.Contains(open, any("*")) || slices.Contains(open, any(member)))
		}
		for known, closed := range o[member] {
			if closed.IsZero() && !may(known) {
				o[member][known] = at
			}
		}
		for _, candidate := range []string{revision, stable} {
			if candidate != "" && may(candidate) {
				o[member][candidate] = time.Time{}
			}
		}
	}
}

// lets a revision be in a member, or did until lately.
func (o opened) lets(member, revision string, now time.Time) bool {
	closed, ever := o[member][revision]
	return ever && (closed.IsZero() || now.Sub(closed) < closedLately)
}

// stages is C8: what is written, as a Work or in a member, bears a revision that is open there, or stable, or that was there before, and
// in a member also the one that its Work keeps.
func stages(h history.History, v *Verdict) {
	fleet := fleetOf(h)
	of := map[history.Key]opened{}
	h.Replay(func(world history.World, before history.Object, r history.Record) {
		if r.Op != history.Put {
			return
		}
		if r.Resource == history.Releases {
			if r.Object.Text("status", "dispatch", "stable") == "" {
				return
			}
			key := history.Key{
				Plane: history.ControlPlane, Namespace: r.Namespace, Name: r.Object.Text("spec", "targetRef", "name"),
				Resource: history.ResourceOf(r.Object.Text("spec", "targetRef", "apiVersion"), r.Object.Text("spec", "targetRef", "kind")),
			}
			if of[key] == nil {
				of[key] = opened{}
			}
			of[key].hear(r.Object, fleet.members, r.At)
			return
		}
		for _, w := range written(before, r) {
			release := of[w.template]
			if release == nil || w.revision == "" || w.revision == w.before {
				continue
			}
			v.Judged++
			// A cluster that is held keeps what it has, and gets it again where somebody deleted it: its Work was judged when it was written.
			again := r.Resource != history.Works && sentTo(world, w) == w.revision
			if !again && !release.lets(w.member, w.revision, r.At) {
				v.violated(r, r.Key, fmt.Sprintf("revision %s comes to %s, where it is neither open nor stable; it had %q",
					w.revision, w.member, w.before))
			}
		}
	})
}

// arrival is a revision that a write brings to a member.
type arrival struct {
	template         history.Key
	member           string
	revision, before string
}

// sentTo is the revision that a member's Work brings now.
func sentTo(world history.World, w arrival) string {
	for key, work := range world {
		if key.Resource != history.Works || key.Namespace != "karmada-es-"+w.member {
			continue
		}
		for _, of := range written(nil, history.Record{Key: key, Object: work}) {
			if of.template == w.template {
				return of.revision
			}
		}
	}
	return ""
}

// written are the revisions that one record brings: by a Work, or to the member's own object.
func written(before history.Object, r history.Record) []arrival {
	if r.Plane != history.ControlPlane {
		template := r.Key
		template.Plane = history.ControlPlane
		return []arrival{{template, r.Plane, r.Object.Meta("annotations", markRevision), before.Meta("annotations", markRevision)}}
	}
	member, sent := strings.CutPrefix(r.Namespace, "karmada-es-")
	if r.Resource != history.Works || !sent {
		return nil
	}
	had := map[string]string{}
	for _, m := range before.List("spec", "workload", "manifests") {
		had[m.Text("kind")+"/"+m.Text("metadata", "name")] = m.Meta("annotations", markRevision)
	}
	var out []arrival
	for _, m := range r.Object.List("spec", "workload", "manifests") {
		template := history.Key{
			Plane: history.ControlPlane, Namespace: m.Text("metadata", "namespace"), Name: m.Text("metadata", "name"),
			Resource: history.ResourceOf(m.Text("apiVersion"), m.Text("kind")),
		}
		out = append(out, arrival{template, member, m.Meta("annotations", markRevision), had[m.Text("kind")+"/"+m.Text("metadata", "name")]})
	}
	return out
}
