package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/estimator/fit"
	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/estimator/wire"
)

func (s *Server) replicas(ctx context.Context, request *wire.MaxAvailableReplicasRequest, object string) reply {
	member, err := s.members.Member(request.Cluster)
	if err != nil {
		return unknown("MemberUnknown", err)
	}
	if errors.Is(request.Fault, wire.ErrQuantity) {
		return none("Quantity", request.Fault)
	}
	reading, cancel := context.WithTimeout(ctx, templateFor)
	defer cancel()
	named, ok := template.ParseObject(object)
	if ok && s.templates != nil {
		// Before those of what is promised to others, which are read at the same time.
		s.templates.Start(reading, named)
	}
	others := s.awaited(reading, member)
	pods, err := s.pods(reading, member, named, ok, request.Requirements)
	if err != nil {
		return unknown("Template", err)
	}
	if request.Fault != nil && !pods[0].known {
		// Neither what a replica asks nor what it is: any number would be a guess.
		return unknown("WireForm", request.Fault)
	}
	s.metrics.stoodIn(pods[0].by)
	ahead := s.ahead(reading, member, others, request.Assumed)
	var least reply
	for number, pod := range pods {
		r := s.fit(ctx, member, pod, ahead, false)
		r.pod = pod.by
		// Unknown is less than any number, and so is what all of them together are worth.
		if number == 0 || r.value < least.value {
			least = r
		}
	}
	return least
}

// fit asks the oracle for one candidate, behind the member's admission and quotas.
func (s *Server) fit(ctx context.Context, member *mirror.Member, c candidate, ahead []oracle.Reservation, explain bool) reply {
	pod, refusal, err := s.admit(member, c.pod)
	if err != nil {
		return unknown("Listers", err)
	}
	if refusal != "" {
		return refused(refusal)
	}
	if claim := templateOfClaim(pod); claim != "" {
		// Each replica gets a ResourceClaim of its own that nothing makes here: the scheduler would find no place for any, for ever.
		return unknown("ResourceClaimTemplate", fmt.Errorf("replicas bring ResourceClaims of template %s", claim))
	}
	quotas, err := s.quotas(member, pod.Namespace, ahead)
	if err != nil {
		return unknown("Listers", err)
	}
	replica := fit.Replica{Pod: pod}
	if replica.Claims, err = member.AdmitClaims(c.claims); err != nil {
		return unknown("Listers", err)
	}
	room, why := fit.QuotaRoom(replica, quotas)
	if room == 0 {
		return refused(why)
	}
	q := oracle.Question{Pod: pod, Ahead: ahead, Most: room, Budget: s.budget(ctx), Explain: explain}
	shared, err := member.AdmitClaims(c.shared)
	if err != nil {
		return unknown("Listers", err)
	}
	member.Bind(shared)
	if len(replica.Claims)+len(shared) > 0 {
		q.Each = func(i int) (*corev1.Pod, []*corev1.PersistentVolumeClaim) {
			one, claims := template.Replica(pod, replica.Claims, c.ordinal(i))
			for j := range shared {
				claims = append(claims, &shared[j])
			}
			return one, claims
		}
	}
	answer, err := member.Oracle.Fit(ctx, q)
	if err != nil {
		return unknown("Oracle", err)
	}
	if answer.Count == room && why != "" {
		answer.Why = why
	}
	if c.doubt != "" {
		answer.Doubt, answer.Exact = c.doubt, false
	}
	s.metrics.nodes(answer.Computed, member.Oracle.Nodes())
	return found(answer)
}

// templateOfClaim is the first ResourceClaimTemplate that the pod's claims are to be made from.
func templateOfClaim(pod *corev1.Pod) string {
	for _, claim := range pod.Spec.ResourceClaims {
		if claim.ResourceClaimTemplateName != nil {
			return *claim.ResourceClaimTemplateName
		}
	}
	return ""
}

// budget is the time for placing copies: what is left until the deadline, less what taking them back may need.
func (s *Server) budget(ctx context.Context) time.Duration {
	left := searchFor
	if until, ok := ctx.Deadline(); ok {
		left = min(left, until.Sub(s.clock.Now())-undoFor)
	}
	return max(left, undoFor/4)
}

// refused is the answer where the member's API server would not create the pod.
func refused(why string) reply {
	return reply{answer: oracle.Answer{Path: oracle.PathGated, Exact: true, Why: why}}
}

// admit is what the member's admission makes of a pod, or why it would refuse it.
func (s *Server) admit(member *mirror.Member, pod *corev1.Pod) (*corev1.Pod, string, error) {
	rules, err := member.AdmissionRules(pod.Namespace)
	if err != nil {
		return nil, "", err
	}
	made, err := fit.Admit(pod, rules)
	if err != nil {
		return nil, err.Error(), nil
	}
	return made, "", nil
}

// quotas of the namespace, with what is promised counted as used.
func (s *Server) quotas(member *mirror.Member, namespace string, ahead []oracle.Reservation) ([]*corev1.ResourceQuota, error) {
	quotas, err := member.Quotas(namespace)
	if err != nil {
		return nil, err
	}
	for _, reservation := range ahead {
		if reservation.Pod.Namespace == namespace {
			quotas = fit.Charge(quotas, fit.Replica{Pod: reservation.Pod}, reservation.Count)
		}
	}
	return quotas, nil
}

func (s *Server) sets(ctx context.Context, request *wire.MaxAvailableComponentSetsRequest) reply {
	member, err := s.members.Member(request.Cluster)
	if err != nil {
		return unknown("MemberUnknown", err)
	}
	if errors.Is(request.Fault, wire.ErrQuantity) {
		return none("Quantity", request.Fault)
	}
	if request.Fault != nil {
		return unknown("WireForm", request.Fault)
	}
	reading, cancel := context.WithTimeout(ctx, templateFor)
	defer cancel()
	ahead := s.ahead(reading, member, s.awaited(reading, member), request.Assumed)
	q := oracle.SetQuestion{Ahead: ahead, Budget: s.budget(ctx)}
	quotas, err := s.quotas(member, request.Namespace, ahead)
	if err != nil {
		return unknown("Listers", err)
	}
	var parts []fit.QuotaPart
	for _, component := range request.Components {
		pod, refusal, err := s.admit(member, template.Synthetic(component.Requirements, request.Namespace, component.Name))
		if err != nil {
			return unknown("Listers", err)
		}
		if refusal != "" {
			return refused(refusal)
		}
		q.Parts = append(q.Parts, oracle.Part{Pod: pod, Count: int(component.Replicas)})
		parts = append(parts, fit.QuotaPart{Replica: fit.Replica{Pod: pod}, Count: int(component.Replicas)})
	}
	room, why := fit.QuotaSets(parts, quotas)
	if room == 0 {
		return refused(why)
	}
	q.Most = room
	answer, err := member.Oracle.FitSets(ctx, q)
	if err != nil {
		return unknown("Oracle", err)
	}
	return found(answer)
}

func (s *Server) unschedulable(ctx context.Context, request *wire.UnschedulableReplicasRequest) reply {
	member, err := s.members.Member(request.Cluster)
	if err != nil {
		return unknown("MemberUnknown", err)
	}
	if request.Fault != nil || request.Kind == "" {
		return unknown("WireForm", errors.Join(request.Fault, errors.New("the request names no workload")))
	}
	workload := mirror.Workload{Kind: request.Kind, Namespace: request.Namespace, Name: request.Name,
		Group: schema.FromAPIVersionAndKind(request.APIVersion, request.Kind).Group}
	pods, err := member.PodsOf(ctx, workload)
	if err != nil {
		return unknown("OwnerUnreadable", err)
	}
	count, now := int64(0), s.clock.Now()
	for _, pod := range pods {
		if mirror.Unschedulable(pod, request.Threshold, now) {
			count++
		}
	}
	return reply{value: clamp(count), answer: oracle.Answer{Exact: true}}
}
