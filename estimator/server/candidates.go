package server

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"

	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/estimator/wire"
)

// candidate is a pod that may stand for the replicas.
type candidate struct {
	pod    *corev1.Pod
	claims []corev1.PersistentVolumeClaim
	// shared are the claims that all replicas mount, which the member lacks and the control plane has: they will travel with the workload.
	shared []corev1.PersistentVolumeClaim
	// by is the name of the way it was found (standIns).
	by string
	// known: the pod is the workload's, not made of the request alone.
	known bool
	// matches: the template requests what the scheduler says that a replica does.
	matches bool
	// doubt, if set, is why the pod may not be what the replicas will be.
	doubt oracle.Doubt
	// ordinal numbers the next replicas of a workload whose replicas have claims of their own.
	ordinal func(i int) int
}

// pods finds what the replicas may be; there is at least one candidate if there is no error.
func (s *Server) pods(reading context.Context, member *mirror.Member, object template.Object, named bool,
	requirements wire.Requirements) ([]candidate, error) {
	known, err := s.evidence(reading, member, object, named, requirements)
	if err != nil {
		return nil, err
	}
	found := known.choose()
	if known.unread == nil {
		return found, nil
	}
	s.metrics.templateMissing()
	s.tell(object, known.unread, found)
	if len(found) == 0 {
		return nil, known.unread
	}
	klog.FromContext(reading).Error(known.unread, "Estimating without reading the workload's template", "reason", "TemplateUnreadable",
		"pod", found[0].by, "doubt", found[0].doubt)
	return found, nil
}

// evidence gathers what there is to tell what the replicas will be. A template that does not decode is an error: what runs of it now says
// nothing of what it is to become.
func (s *Server) evidence(reading context.Context, member *mirror.Member, object template.Object, named bool,
	requirements wire.Requirements) (evidence, error) {
	if !named || s.templates == nil {
		namespace, name := requirements.Namespace, "replica"
		if named {
			namespace, name = object.Namespace, object.Name
		}
		return evidence{requirements: requirements, request: template.Synthetic(requirements, namespace, name)}, nil
	}
	e := evidence{
		requirements: requirements, request: template.Synthetic(requirements, object.Namespace, object.Name),
		live: s.live(reading, member, object),
	}
	var workloads []*unstructured.Unstructured
	workloads, e.unread = s.templates.Find(reading, object)
	for _, workload := range workloads {
		pod, ok, err := s.kinds.Of(workload)
		if err != nil {
			return e, err
		}
		if !ok {
			continue // a kind without a pod template
		}
		one := s.fromTemplate(member, pod, e.live)
		one.shared = s.travelling(reading, member, pod)
		one.matches = template.Matches(pod.Template, requirements.Requests)
		if e.unread != nil && one.doubt == "" {
			one.doubt = oracle.LastTemplate
		}
		e.templates = append(e.templates, one)
	}
	return e, nil
}

// fromTemplate is the template's pod with what the member adds to it, as a live pod shows.
func (s *Server) fromTemplate(member *mirror.Member, pod template.Pod, live []*corev1.Pod) candidate {
	one := candidate{pod: pod.Template, claims: pod.Claims, known: true, ordinal: pod.Ordinals.Free(live)}
	model, ok := template.Choose(pod.Template, live)
	if !ok {
		return one
	}
	var sure bool
	if one.pod, sure = template.Overlay(pod.Template, template.Live{Pod: model, Made: member.MadeFrom(model)}); !sure {
		one.doubt = oracle.OlderPods
	}
	return one
}

// travelling are the claims named by the template that only the control plane has. Karmada sends them after the workload, once it is
// scheduled: were the member's lack of them to count, it never would be. A claim that neither has keeps the replicas pending, and here
// means that nothing fits.
func (s *Server) travelling(reading context.Context, member *mirror.Member, pod template.Pod) []corev1.PersistentVolumeClaim {
	var found []corev1.PersistentVolumeClaim
	for _, name := range pod.Mounts() {
		if member.HasClaim(pod.Template.Namespace, name) {
			continue
		}
		objects, err := s.templates.Find(reading, template.Object{Kind: "PersistentVolumeClaim", Namespace: pod.Template.Namespace, Name: name})
		if err != nil {
			klog.FromContext(reading).Error(err, "Estimating without a claim of the control plane", "reason", "ClaimUnreadable", "claim",
				klog.KRef(pod.Template.Namespace, name))
		}
		for _, object := range objects {
			if claim, ok := template.Claim(object); ok {
				found = append(found, claim)
			}
		}
	}
	return found
}

// live are the workload's pods in the member.
func (s *Server) live(ctx context.Context, member *mirror.Member, object template.Object) []*corev1.Pod {
	live, err := member.PodsOf(ctx, mirror.Workload{Kind: object.Kind, Namespace: object.Namespace, Name: object.Name, AnyGroup: true})
	if err != nil {
		klog.FromContext(ctx).V(1).Info("Some of the workload's pods in the member could not be told", "reason", "OwnerUnreadable", "error",
			err.Error())
	}
	return live
}
