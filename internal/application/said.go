package application

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/mark"
)

// saidFor is how long what rescheduling said holds: what lasts it says again within ten minutes.
const saidFor = 15 * time.Minute

// Said is what rescheduling said of a workload last.
type Said struct {
	Reason, Message string
	At              time.Time
	Warning         bool
}

// said reads the events of rescheduling about the binding; nil where it said nothing lately. Who may not read events is told the rest.
func (r *Reader) said(ctx context.Context, binding *Binding) (*Said, error) {
	if binding == nil || binding.Namespace == "" {
		return nil, nil
	}
	var list corev1.EventList
	err := r.Control.List(ctx, &list, client.InNamespace(binding.Namespace), client.MatchingFields{"involvedObject.uid": string(binding.UID)})
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the events of %s %s: %w", binding.Kind, binding.Name, err)
	}
	var last *Said
	for _, e := range list.Items {
		if e.Source.Component != mark.RescheduleSource && e.ReportingController != mark.RescheduleSource {
			continue
		}
		if at := e.LastTimestamp.Time; (last == nil || at.After(last.At)) && r.Clock.Now().Sub(at) < saidFor {
			last = &Said{Reason: e.Reason, Message: e.Message, At: at, Warning: e.Type == corev1.EventTypeWarning}
		}
	}
	return last, nil
}

// ofRescheduling is what it said, as a problem.
func ofRescheduling(facts Facts) []Problem {
	said := facts.Said
	if said == nil {
		return nil
	}
	severity, ago := Waiting, ""
	if said.Warning {
		severity = Broken
	}
	if !facts.Now.IsZero() {
		ago = " " + duration.HumanDuration(facts.Now.Sub(said.At)) + " ago"
	}
	return []Problem{{Severity: severity, Message: fmt.Sprintf("rescheduling said %s%s: %s", said.Reason, ago, said.Message)}}
}
