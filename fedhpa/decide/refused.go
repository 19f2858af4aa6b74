package decide

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/internal/text"
)

// Refuse corrects a plan of which a group's writes were refused: what would be true only with them is not said. Of several groups the
// first one's words stand in Ready.
func (p *Plan) Refuse(group Group, reason, message string) {
	if len(p.refused) == 0 {
		p.deny(api.FedHPAReady, reason, message)
		if before := meta.FindStatusCondition(p.before.Conditions, api.FedHPAReady); before == nil || before.Reason != reason {
			p.Events = append(p.Events, Event{Warning: true, Reason: reason, Message: text.Cut(message, 1000)})
		}
	}
	if group == BookKeeping {
		p.Overwritten = false
		p.Status.TemplateScale = p.before.TemplateScale
		p.deny(api.FedHPABooksAgree, reason, message)
	}
	p.refused = append(p.refused, group)
}

// deny sets a condition to False, as if the plan had not said otherwise in between.
func (p *Plan) deny(kind, reason, message string) {
	said := meta.FindStatusCondition(p.Status.Conditions, kind)
	if said == nil {
		return
	}
	said.Status, said.Reason, said.Message = metav1.ConditionFalse, reason, text.Cut(message, 2048)
	if before := meta.FindStatusCondition(p.before.Conditions, kind); before != nil && before.Status == metav1.ConditionFalse {
		said.LastTransitionTime = before.LastTransitionTime
		said.Message = text.Keep(before.Message, said.Message)
	}
}

// Told are the events that are true of what was written.
func (p *Plan) Told() []Event {
	var out []Event
	for _, e := range p.Events {
		if len(p.refused) == 0 || e.Reason != api.FedHPAReasonActive && !slices.Contains(p.refused, e.Of) {
			out = append(out, e)
		}
	}
	return out
}
