package aggregate

import (
	"slices"
	"strings"

	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// maxMessage bounds a merged message, in bytes: a hundred members with a page each would not fit an object.
const maxMessage = 4096

func conditions(members []family.Member, good ...string) ([]any, error) {
	byType := map[string][]condition{}
	var types []string
	for _, m := range members {
		list, err := field.Slice(m.Status, "conditions")
		if err != nil {
			return nil, At(m, err)
		}
		for i, item := range list {
			c, err := read(m, item, i)
			if err != nil {
				return nil, At(m, err)
			}
			if m.Unreachable != "" && slices.Contains(good, c.kind) && c.status == "True" {
				c.status, c.reason, c.message, c.since = "Unknown", ReasonMemberUnreachable, "True when it was last heard of", ""
			}
			if byType[c.kind] == nil {
				types = append(types, c.kind)
			}
			byType[c.kind] = append(byType[c.kind], c)
		}
	}
	slices.Sort(types)
	var out []any
	for _, kind := range types {
		out = append(out, merge(kind, byType[kind], slices.Contains(good, kind), len(members)))
	}
	return out, nil
}

// condition is one member's.
type condition struct {
	cluster, kind, status, reason, message, since string
}

func read(m family.Member, item any, i int) (c condition, err error) {
	object, ok := item.(map[string]any)
	if !ok {
		return c, field.Errorf(field.Index([]string{"conditions"}, i), "want an object, have %v", item)
	}
	c.cluster = m.Cluster
	for name, to := range map[string]*string{
		"type": &c.kind, "status": &c.status, "reason": &c.reason, "message": &c.message, "lastTransitionTime": &c.since,
	} {
		if *to, err = field.String(object, name); err != nil {
			return c, field.Under(err, field.Index([]string{"conditions"}, i)...)
		}
	}
	return c, nil
}

// merge makes one condition of those the members have of one type.
func merge(kind string, conditions []condition, good bool, members int) map[string]any {
	status := worst(conditions, good, members)
	conditions = slices.DeleteFunc(conditions, func(c condition) bool { return c.status != status })
	out := map[string]any{"type": kind, "status": status}
	var since string
	for _, c := range conditions {
		if _, ok := out["reason"]; !ok && c.reason != "" {
			out["reason"] = c.reason
		}
		// RFC 3339 in UTC, as Kubernetes writes it, sorts as text.
		since = max(since, c.since)
	}
	if since != "" {
		out["lastTransitionTime"] = since
	}
	if message := messages(conditions); message != "" {
		out["message"] = message
	}
	return out
}

// worst is the status that holds for all.
func worst(conditions []condition, good bool, members int) string {
	bad, fine := "True", "False"
	if good {
		bad, fine = "False", "True"
	}
	has := func(want string) bool {
		return slices.ContainsFunc(conditions, func(c condition) bool { return c.status == want })
	}
	switch {
	case has(bad):
		return bad
	case !has(fine) || has("Unknown") || good && len(conditions) < members:
		return "Unknown"
	}
	return fine
}

// messages are those of the conditions, each once, after the names of the clusters that say it.
func messages(conditions []condition) string {
	var said []string
	by := map[string]string{}
	for _, c := range conditions {
		switch names := by[c.message]; {
		case c.message == "":
		case names == "":
			by[c.message] = c.cluster
			said = append(said, c.message)
		default:
			by[c.message] = names + ", " + c.cluster
		}
	}
	for i, message := range said {
		said[i] = by[message] + ": " + message
	}
	return text.Cut(strings.Join(said, "; "), maxMessage)
}
