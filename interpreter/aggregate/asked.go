package aggregate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/interpreter/family"
	"github.com/argosy-dev/argosy/interpreter/field"
)

// Asked is what a template asks for of a rollout.
type Asked struct {
	// Updated is how many replicas may be, of Total in the fleet.
	Updated, Total int32
	// Held is true where a partition holds the others back.
	Held bool
	// Still is true where the user has stopped the rollout (paused, OnDelete): then nothing moves by itself.
	Still bool
	// MembersOwn is true where each member has its own number of replicas, which the template does not know.
	MembersOwn bool
}

// Asked compares what is updated with what the template asks for. It comes after the revisions.
func (s *Status) Asked(asked Asked) {
	s.Add(func(members []family.Member, into map[string]any) error {
		if field.Label(s.template.Object, mark.Retain) != "" || field.Annotation(s.template.Object, mark.Retain) != "" {
			return nil
		}
		if asked.Held {
			if said, err := s.more(asked, members, into); said || err != nil {
				return err
			}
		}
		if asked.Still {
			return nil
		}
		return s.fewer(asked, members, into)
	})
}

// askedOf is how often the template's numbers are asked for, and the words for it: of the fleet once, or, where each member has all
// replicas, of every member.
func askedOf(members []family.Member) (times int64, words string) {
	if slices.ContainsFunc(members, func(m family.Member) bool { return !m.Whole }) || len(members) == 0 {
		return 1, ""
	}
	return int64(len(members)), " in each member"
}

// more judges a rollout that all members have taken up and of whose old replicas some still run; with other totals, as where replicas
// are on their way, it does not judge.
func (s *Status) more(asked Asked, members []family.Member, into map[string]any) (said bool, err error) {
	updated, _ := into["updatedReplicas"].(int64)
	replicas, _ := into["replicas"].(int64)
	times, each := askedOf(members)
	if s.generation != s.template.GetGeneration() || s.generation == 0 || replicas != int64(asked.Total)*times || updated >= replicas {
		return false, nil
	}
	beyond := updated > int64(asked.Updated)*times
	var where []string
	for _, m := range members {
		r := field.Read(m.Status)
		n, with := r.Count(0, "updatedReplicas"), r.String(CreatedWith)
		if r.Err() != nil {
			return false, At(m, r.Err())
		}
		beyond = beyond || each != "" && n > asked.Updated
		switch {
		case n > 0 && with != "":
			where = append(where, fmt.Sprintf("%s %d (created with the new template)", m.Cluster, n))
		case n > 0:
			where = append(where, fmt.Sprintf("%s %d", m.Cluster, n))
		}
	}
	if !beyond {
		return false, nil
	}
	s.own = append(s.own, ownCondition{
		kind: ConditionRolloutAsAsked, reason: ReasonMoreUpdated,
		message: fmt.Sprintf("asked %d of %d updated%s, %d are: %s", asked.Updated, asked.Total, each, updated, strings.Join(where, ", ")),
	})
	return true, nil
}

// fewer judges wherever the members together have no more replicas than they are asked for: with more, some are on their way, or each
// member has them all and nobody could say so. A member's number is of the template it has, so it counts only where that is the
// present one.
func (s *Status) fewer(asked Asked, members []family.Member, into map[string]any) error {
	replicas, _ := into["replicas"].(int64)
	want, total := int64(asked.Updated), int64(asked.Total)
	times, each := askedOf(members)
	if asked.MembersOwn {
		if asked.Held {
			return nil
		}
		want, total, times, each = replicas, replicas, 1, ""
	}
	if len(members) == 0 || replicas > total*times {
		return nil
	}
	var updated int64
	var where []string
	short := false
	for _, m := range members {
		n, behind, err := s.behind(m)
		if err != nil {
			return err
		}
		updated += n
		short = short || each != "" && n < want
		where = append(where, behind)
	}
	if !short && updated >= want*times {
		return nil
	}
	revision, _ := into["updateRevision"].(string)
	if revision != "" {
		revision = " of revision " + revision
	}
	s.own = append(s.own, ownCondition{
		kind: ConditionRolloutAsAsked, reason: ReasonFewerUpdated,
		message: fmt.Sprintf("asked %d of %d updated%s, %d%s are: %s", want, total, each, updated, revision, strings.Join(where, ", ")),
	})
	return nil
}

// behind is how many replicas of a member are updated, and what is known of why there are no more.
func (s *Status) behind(m family.Member) (updated int64, said string, err error) {
	seen, err := current(m, s.template.GetGeneration())
	if err != nil {
		return 0, "", err
	}
	r := field.Read(m.Status)
	n, replicas, ready := r.Count(0, "updatedReplicas"), r.Count(0, "replicas"), r.Count(0, "readyReplicas")
	if r.Err() != nil {
		return 0, "", At(m, r.Err())
	}
	if seen {
		updated = int64(n)
	}
	said = fmt.Sprintf("%s %d of %d", m.Cluster, updated, replicas)
	switch {
	case m.AppliedMessage != "" && !m.Applied:
		return updated, fmt.Sprintf("%s (refused: %s)", said, m.AppliedMessage), nil
	case m.Unreachable != "":
		return updated, said + " (cannot be asked)", nil
	case m.Status == nil:
		return updated, m.Cluster + " has not reported", nil
	case !seen:
		return updated, said + " (has not taken the template up)", nil
	case ready < replicas:
		return updated, fmt.Sprintf("%s (%d not ready)", said, replicas-ready), nil
	}
	return updated, said, nil
}

// progress is what of a condition of ours must not change while it is said to last: of a rollout that is behind, how many replicas are
// updated, and to what.
func progress(condition any) string {
	if word(condition, "reason") != ReasonFewerUpdated {
		return ""
	}
	head, _, _ := strings.Cut(word(condition, "message"), ": ")
	_, are, _ := strings.Cut(head, ", ")
	return are
}
