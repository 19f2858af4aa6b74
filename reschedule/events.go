package reschedule

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/argosy-dev/argosy/internal/text"
	"github.com/argosy-dev/argosy/reschedule/decide"
)

// sayAgain is how often what lasts is said: events are kept for an hour, and people ask for what holds now.
const sayAgain = 10 * time.Minute

// longestEvent is what the API server takes.
const longestEvent = 1000

// saying is what was decided of a binding.
type saying struct {
	verdict decide.Verdict
	reason  string
	at      time.Time
	waiting map[string]int32
	// full is how many looks in a row found no room, and turn how many found none or did not learn of any.
	full, turn int32
}

// say tells it where people look: on the binding and on the template, once, and again while it lasts.
func (c *Controller) say(key types.NamespacedName, seen *gathered, d decide.Decision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, before := c.clock.Now(), c.said[key]
	// What is asked again in a moment is not said: the next answer is.
	news := d.Targets != nil || len(d.Waiting) > 0 && d.Reason != decide.ReasonAsked &&
		(before.reason != d.Reason || now.Sub(before.at) >= sayAgain)
	said := saying{verdict: d.Verdict, reason: d.Reason, waiting: d.Waiting, at: before.at}
	switch d.Reason {
	case decide.ReasonAsked, decide.ReasonNoRoom, decide.ReasonMore:
		said.full, said.turn = before.full+1, before.turn+1
	case decide.ReasonUnheard:
		said.turn = before.turn + 1
	}
	if news {
		said.at = now
		kind := corev1.EventTypeNormal
		if d.Verdict == decide.NoRoom || d.Verdict == decide.PutsBack || d.Reason == decide.ReasonUnheard {
			kind = corev1.EventTypeWarning
		}
		message := text.Cut(d.Message, longestEvent)
		c.events.Event(seen.binding, kind, d.Reason, message)
		c.events.Event(templateOf(seen), kind, d.Reason, message)
	}
	c.said[key], c.unshown = said, true
}

// templateOf refers to the template, also where it could not be read.
func templateOf(seen *gathered) *unstructured.Unstructured {
	ref, template := seen.binding.Spec.Resource, &unstructured.Unstructured{}
	template.SetAPIVersion(ref.APIVersion)
	template.SetKind(ref.Kind)
	template.SetNamespace(ref.Namespace)
	template.SetName(ref.Name)
	template.SetUID(ref.UID)
	return template
}
