package aggregate

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/internal/text"
)

// Conditions of ours on a template of any kind. They are there only while they are False: an answer that falls short is said, and
// else the status is the members' alone.
const (
	// ConditionMembersReported is False while what a member reports cannot be read, or is not of now.
	ConditionMembersReported = "MembersReported"
	// ReasonStatusUnreadable is its reason where a status is not what it should be; the message names member and field.
	ReasonStatusUnreadable = "StatusUnreadable"
	// ReasonMemberUnreachable is its reason where a member cannot be asked: its last status stands, and none of its replicas counts
	// as ready.
	ReasonMemberUnreachable = "MemberUnreachable"

	// ConditionRolloutAsAsked is False while another number of replicas is updated than the template asks for.
	ConditionRolloutAsAsked = "RolloutAsAsked"
	// ReasonMoreUpdated is its reason where there are more; the message says how many were asked, how many there are, and where.
	ReasonMoreUpdated = "MoreUpdated"
	// ReasonFewerUpdated is its reason where there are fewer, as in the midst of each rollout. The condition's lastTransitionTime is
	// when the number last changed: a rollout whose number has not changed for StandsStillAfter stands still.
	ReasonFewerUpdated = "FewerUpdated"
)

// StandsStillAfter is how long the number of updated replicas may stay below what is asked before somebody should look. It is the
// progressDeadlineSeconds of Kubernetes and OpenKruise where nobody sets one.
const StandsStillAfter = 10 * time.Minute

// ownCondition is one of ours that is False.
type ownCondition struct{ kind, reason, message string }

// IsOwn is true for the type of a condition of ours.
func IsOwn(kind string) bool {
	return kind == ConditionMembersReported || kind == ConditionRolloutAsAsked
}

// say puts our conditions among the members'.
func (s *Status) say(out map[string]any) {
	if len(s.own) == 0 {
		return
	}
	before, _, _ := unstructured.NestedSlice(s.template.Object, "status", "conditions")
	list, _ := out["conditions"].([]any)
	for _, c := range s.own {
		condition := map[string]any{"type": c.kind, "status": "False", "reason": c.reason, "message": text.Cut(c.message, maxMessage)}
		if s.secondTime != "" {
			condition[s.secondTime] = nil
		}
		if s.standard {
			condition["observedGeneration"] = s.generation
			condition["lastTransitionTime"] = transition(s.template, condition, before)
		}
		list = append(list, condition)
	}
	slices.SortStableFunc(list, func(a, b any) int { return strings.Compare(word(a, "type"), word(b, "type")) })
	out["conditions"] = list
}

// word is a text of a condition; empty where it has none.
func word(condition any, name string) string {
	object, _ := condition.(map[string]any)
	value, _ := object[name].(string)
	return value
}

// reported says which members' statuses do not count as they should.
func (s *Status) reported(unread []string) {
	var said []string
	reason := ReasonMemberUnreachable
	if len(unread) > 0 {
		reason = ReasonStatusUnreadable
		said = append(said, "not counted: "+strings.Join(unread, "; "))
	}
	for _, m := range s.members {
		if m.Unreachable != "" && m.Status != nil {
			said = append(said, m.Cluster+" cannot be asked ("+m.Unreachable+"): "+s.ofSilent)
		}
	}
	if len(said) > 0 {
		s.own = append(s.own, ownCondition{kind: ConditionMembersReported, reason: reason, message: strings.Join(said, "; ")})
	}
}

// Times of conditions beside lastTransitionTime.
const (
	// lastUpdateTime is a field of a Deployment's conditions.
	lastUpdateTime = "lastUpdateTime"
	// lastProbeTime is a field of a Job's conditions.
	lastProbeTime = "lastProbeTime"
)

// Stamp writes into a new status since when conditions say what they say: ours as long as the template's status has said so, or now. A
// condition of the members that is of another status than before is so since now, and that stays: members that cannot be asked have not
// said since when.
func Stamp(template *unstructured.Unstructured, status map[string]any, now time.Time) {
	before, _, _ := unstructured.NestedSlice(template.Object, "status", "conditions")
	list, _ := status["conditions"].([]any)
	for _, item := range list {
		condition, ok := item.(map[string]any)
		switch {
		case !ok:
		case IsOwn(word(item, "type")):
			stampOwn(before, condition, now)
		default:
			stampMembers(before, condition, now)
		}
	}
}

func stampOwn(before []any, condition map[string]any, now time.Time) {
	condition["lastTransitionTime"] = now.UTC().Format(time.RFC3339)
	for _, old := range before {
		if since := word(old, "lastTransitionTime"); since != "" && word(old, "type") == word(condition, "type") &&
			word(old, "status") == word(condition, "status") && word(old, "reason") == word(condition, "reason") &&
			progress(old) == progress(condition) {
			condition["lastTransitionTime"] = since
		}
	}
	for _, second := range []string{lastUpdateTime, lastProbeTime} {
		if _, has := condition[second]; has {
			condition[second] = condition["lastTransitionTime"]
		}
	}
}

func stampMembers(before []any, condition map[string]any, now time.Time) {
	for _, old := range before {
		if word(old, "type") != word(condition, "type") {
			continue
		}
		since := word(old, "lastTransitionTime")
		if word(old, "status") != word(condition, "status") {
			since = now.UTC().Format(time.RFC3339)
		}
		// RFC 3339 in UTC, as Kubernetes writes it, sorts as text.
		if since > word(condition, "lastTransitionTime") {
			condition["lastTransitionTime"] = since
		}
	}
}
