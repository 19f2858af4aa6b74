package server

import (
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/estimator/wire"
)

// evidence is what there is to tell what the replicas will be.
type evidence struct {
	requirements wire.Requirements
	// request is the pod that the request alone describes.
	request *corev1.Pod
	// templates are the pods of the workloads of the kind and name that the request says, with what the member adds to them.
	templates []candidate
	// unread is why the templates could not be read; nil also where the request names no workload.
	unread error
	// live are the workload's pods in the member.
	live []*corev1.Pod
}

// standIn is a way to find the pods that may stand for the replicas.
type standIn struct {
	// name is the word of the docs, the log and the metric.
	name string
	// pods are its candidates; none where the way does not apply.
	pods func(evidence) []candidate
}

// standIns, in the order of "Which pod is counted" in docs/concepts/estimator.md: the first that applies is taken.
var standIns = []standIn{
	{"template", byTemplate},
	{"livePod", byLivePod},
	{"request", byRequest},
}

// byTemplate: of two kinds of one name, the one that requests what the scheduler says is meant; if that does not tell, all stay, and the
// least answer counts.
func byTemplate(e evidence) []candidate {
	var matching []candidate
	for _, one := range e.templates {
		if one.matches {
			matching = append(matching, one)
		}
	}
	if len(matching) > 0 {
		return matching
	}
	return e.templates
}

// byLivePod: a live pod shows rules that the request does not tell.
func byLivePod(e evidence) []candidate {
	model, ok := template.Choose(e.request, e.live)
	if !ok {
		return nil
	}
	return []candidate{{pod: template.FromLive(model, e.requirements), known: true, doubt: e.doubt()}}
}

// byRequest is what Karmada's own estimator does. It applies where there is no template, and where reading it may never succeed (the
// estimator lacks the right, or the kind is gone): a more careful guess would keep the workload from being scheduled for good. A control
// plane that is slow or away for a moment is no reason to guess.
func byRequest(e evidence) []candidate {
	if e.unread != nil && !apierrors.IsForbidden(e.unread) && !errors.Is(e.unread, template.ErrNoKind) {
		return nil
	}
	return []candidate{{pod: e.request, doubt: e.doubt()}}
}

func (e evidence) doubt() oracle.Doubt {
	if e.unread != nil {
		return oracle.WithoutTemplate
	}
	return ""
}

// choose takes the first way that applies; none where nothing is known of the replicas.
func (e evidence) choose() []candidate {
	for _, way := range standIns {
		found := way.pods(e)
		for i := range found {
			found[i].by = way.name
			template.AtLeast(found[i].pod, e.requirements.Requests)
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}
