package server

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	// known: the pod is the workload's, not made of the request alone.
	known bool
	// doubt, if set, is why the pod may not be what the replicas will be.
	doubt oracle.Doubt
	// ordinal numbers the next replicas of a workload whose replicas have claims of their own.
	ordinal func(i int) int
}

// pods finds what the replicas may be; there is at least one candidate if there is no error. Where two kinds of one name exist, the one
// that requests what the scheduler says is meant; if that does not tell, all stay, and the least answer counts.
func (s *Server) pods(reading context.Context, member *mirror.Member, object template.Object, named bool,
	requirements wire.Requirements) ([]candidate, error) {
	namespace, name := requirements.Namespace, "replica"
	if named {
		namespace, name = object.Namespace, object.Name
	}
	synthetic := candidate{pod: template.Synthetic(requirements, namespace, name)}
	if !named || s.templates == nil {
		return []candidate{synthetic}, nil
	}
	live := s.live(reading, member, object)
	workloads, err := s.templates.Find(reading, object)
	if err != nil {
		s.metrics.templateMissing()
		one, err := withoutTemplate(synthetic, live, requirements, err)
		if err != nil {
			return nil, err
		}
		klog.FromContext(reading).Error(err, "Estimating without the workload's template", "reason", "TemplateUnreadable", "fromLivePod",
			one.known)
		template.AtLeast(one.pod, requirements.Requests)
		return []candidate{one}, nil
	}
	var all, matching []candidate
	for _, workload := range workloads {
		pod, ok, err := s.kinds.Of(workload)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		one := s.fromTemplate(member, pod, live)
		one.shared = s.travelling(reading, member, pod)
		all = append(all, one)
		if template.Matches(pod.Template, requirements.Requests) {
			matching = append(matching, one)
		}
	}
	if len(matching) > 0 {
		all = matching
	}
	if len(all) == 0 {
		// A kind without a pod template, or a workload that is just being deleted.
		all = []candidate{synthetic}
		if model, ok := template.Choose(synthetic.pod, live); ok {
			all[0].pod, all[0].known = template.FromLive(model, requirements), true
		}
	}
	for i := range all {
		template.AtLeast(all[i].pod, requirements.Requests)
	}
	return all, nil
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

// withoutTemplate decides what stands for replicas whose template could not be read. A live pod shows their rules. Without one, where
// reading may never succeed (the estimator lacks the right, or the kind is gone), it is what the request says, as in Karmada's own
// estimator: a more careful guess would keep the workload from being scheduled for good. A control plane that is slow or away for a moment
// is no reason to guess: the error stands.
func withoutTemplate(synthetic candidate, live []*corev1.Pod, requirements wire.Requirements, why error) (candidate, error) {
	synthetic.doubt = oracle.WithoutTemplate
	if model, ok := template.Choose(synthetic.pod, live); ok {
		synthetic.pod, synthetic.known = template.FromLive(model, requirements), true
		return synthetic, nil
	}
	if !apierrors.IsForbidden(why) && !errors.Is(why, template.ErrNoKind) {
		return candidate{}, why
	}
	return synthetic, nil
}
