package server

import (
	"context"
	"errors"
	"fmt"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"

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
	named, ok := template.ParseObject(object)
	pods, err := s.pods(ctx, member, named, ok, request.Requirements)
	if err != nil {
		return none("Template", err)
	}
	if request.Fault != nil && !fromTemplate(pods) {
		// Neither what a replica asks nor what it is: any number would be a guess.
		return unknown("WireForm", request.Fault)
	}
	ahead := append(s.ahead(ctx, member), assumed(request.Assumed)...)
	least := reply{value: -1}
	for _, pod := range pods {
		if r := s.fit(ctx, member, pod, ahead, false); least.value < 0 || r.value < least.value {
			least = r
		}
	}
	return least
}

// candidate is a pod that may stand for the replicas.
type candidate struct {
	pod      *corev1.Pod
	claims   []corev1.PersistentVolumeClaim
	admitted bool
	template bool
	// first is the ordinal of the next replica of a workload that numbers them.
	first int
}

func fromTemplate(pods []candidate) bool { return len(pods) > 0 && pods[0].template }

// pods finds what the replicas may be. Where two kinds of one name exist, the one that requests what the scheduler says is meant; if that does not
// tell, all stay, and the least answer counts.
func (s *Server) pods(ctx context.Context, member *mirror.Member, object template.Object, named bool, requirements wire.Requirements) ([]candidate, error) {
	namespace, name := requirements.Namespace, "replica"
	if named {
		namespace, name = object.Namespace, object.Name
	}
	synthetic := candidate{pod: template.Synthetic(requirements, namespace, name)}
	if !named || s.templates == nil {
		return []candidate{synthetic}, nil
	}
	reading, cancel := context.WithTimeout(ctx, templateFor)
	defer cancel()
	workloads, err := s.templates.Find(reading, object)
	if err != nil {
		// The control plane is slow or gone: the request alone is less exact, and errs upwards for pods with rules of their own. Say so.
		klog.FromContext(ctx).Error(err, "Estimating without the workload's template", "reason", "TemplateUnreadable")
		s.metrics.templateMissing()
	}
	var all, matching []candidate
	for _, workload := range workloads {
		pod, ok, err := template.Of(workload)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		one := candidate{pod: pod.Template, claims: pod.Claims, template: true}
		all = append(all, one)
		if template.Matches(pod.Template, requirements.Requests) {
			matching = append(matching, one)
		}
	}
	if len(matching) > 0 {
		all = matching
	}
	if len(all) == 0 {
		all = []candidate{synthetic}
	}
	for i := range all {
		s.model(ctx, member, object, &all[i])
		template.AtLeast(all[i].pod, requirements.Requests)
	}
	return all, nil
}

// model puts a live pod of the workload in the template's place, if there is one.
func (s *Server) model(ctx context.Context, member *mirror.Member, object template.Object, c *candidate) {
	live, err := member.PodsOf(ctx, mirror.Workload{Kind: object.Kind, Namespace: object.Namespace, Name: object.Name, AnyGroup: true})
	if err != nil {
		klog.FromContext(ctx).V(1).Info("Some of the workload's pods in the member could not be told", "reason", "OwnerUnreadable", "error", err.Error())
	}
	c.first = len(live)
	model := template.Newest(live)
	if c.template {
		model = template.Model(c.pod, live)
	}
	if model != nil {
		c.pod, c.admitted = model, true
	}
}

// fit asks the oracle for one candidate, behind the member's admission and quotas.
func (s *Server) fit(ctx context.Context, member *mirror.Member, c candidate, ahead []oracle.Claim, explain bool) reply {
	pod, refusal, err := s.admit(member, c)
	if err != nil {
		return none("Listers", err)
	}
	if refusal != "" {
		return refused(refusal)
	}
	quotas, err := s.quotas(member, pod.Namespace, ahead)
	if err != nil {
		return none("Listers", err)
	}
	room, why := fit.QuotaRoom(pod, quotas)
	if room == 0 {
		return refused(why)
	}
	q := oracle.Question{Pod: pod, Ahead: ahead, Most: room, Budget: searchFor, Explain: explain}
	if len(c.claims) > 0 {
		q.Each = func(i int) (*corev1.Pod, []*corev1.PersistentVolumeClaim) {
			return template.Replica(pod, c.claims, c.first+i)
		}
	}
	answer, err := member.Oracle.Fit(ctx, q)
	if err != nil {
		return none("Oracle", err)
	}
	if answer.Count == room && why != "" {
		answer.Why = why
	}
	s.metrics.nodes(answer.Computed, member.Oracle.Nodes())
	return reply{value: clamp(answer.Count), answer: answer}
}

// refused is the answer where the member's API server would not create the pod.
func refused(why string) reply {
	return reply{answer: oracle.Answer{Path: oracle.PathGated, Exact: true, Why: why}}
}

// admit is what the member's admission makes of a pod, or why it would refuse it. A live pod has been admitted already.
func (s *Server) admit(member *mirror.Member, c candidate) (*corev1.Pod, string, error) {
	pod := c.pod
	if !c.admitted {
		house, err := member.House(pod.Namespace)
		if err != nil {
			return nil, "", err
		}
		made, err := fit.Admit(pod, house)
		if err != nil {
			return nil, err.Error(), nil
		}
		pod = made
	}
	if err := fit.CheckRequests(pod); err != nil {
		return nil, err.Error(), nil
	}
	return pod, "", nil
}

// quotas of the namespace, with what is promised counted as used.
func (s *Server) quotas(member *mirror.Member, namespace string, ahead []oracle.Claim) ([]*corev1.ResourceQuota, error) {
	quotas, err := member.Quotas(namespace)
	if err != nil {
		return nil, err
	}
	for _, claim := range ahead {
		if claim.Pod.Namespace == namespace {
			quotas = fit.Charge(quotas, claim.Pod, claim.Count)
		}
	}
	return quotas, nil
}

// ahead is the room held for replicas promised to the member whose pods it does not show yet.
func (s *Server) ahead(ctx context.Context, member *mirror.Member) []oracle.Claim {
	if s.promises == nil {
		return nil
	}
	var claims []oracle.Claim
	for _, promise := range s.promises.Ahead(member.Name, s.clock.Now()) {
		workload := mirror.Workload{Kind: promise.Workload.Kind, Namespace: promise.Workload.Namespace, Name: promise.Workload.Name,
			Group: schema.FromAPIVersionAndKind(promise.Workload.APIVersion, promise.Workload.Kind).Group}
		seen, err := member.PodsOf(ctx, workload)
		if err != nil {
			klog.FromContext(ctx).V(1).Info("Holding room for all promised replicas", "reason", "OwnerUnreadable", "error", err.Error())
		}
		missing := int(promise.Replicas) - len(seen)
		if missing <= 0 || promise.Requirements == nil {
			continue
		}
		object := template.Object{Kind: workload.Kind, Namespace: workload.Namespace, Name: workload.Name}
		pods, err := s.pods(ctx, member, object, true, requirementsOf(promise.Requirements))
		if err != nil || len(pods) == 0 {
			continue
		}
		pod := pods[0].pod
		if made, refusal, err := s.admit(member, pods[0]); err == nil && refusal == "" {
			pod = made
		}
		claims = append(claims, oracle.Claim{Pod: pod, Count: missing, For: fmt.Sprintf("promised %s %s/%s", object.Kind, object.Namespace, object.Name)})
	}
	return claims
}

func requirementsOf(r *workv1alpha2.ReplicaRequirements) wire.Requirements {
	out := wire.Requirements{Requests: r.ResourceRequest, Namespace: r.Namespace, PriorityClassName: r.PriorityClassName}
	if r.NodeClaim != nil {
		out.NodeAffinity, out.NodeSelector, out.Tolerations = r.NodeClaim.HardNodeAffinity, r.NodeClaim.NodeSelector, r.NodeClaim.Tolerations
	}
	return out
}

// assumed is what karmada-scheduler itself says it has given away (1.19).
func assumed(workloads []wire.AssumedWorkload) []oracle.Claim {
	var claims []oracle.Claim
	for _, workload := range workloads {
		for _, component := range workload.Components {
			pod := template.Synthetic(component.Requirements, workload.Namespace, component.Name)
			claims = append(claims, oracle.Claim{Pod: pod, Count: int(component.Replicas), For: "assumed " + workload.Namespace + "/" + component.Name})
		}
	}
	return claims
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
	ahead := append(s.ahead(ctx, member), assumed(request.Assumed)...)
	q := oracle.SetQuestion{Ahead: ahead, Budget: searchFor}
	quotas, err := s.quotas(member, request.Namespace, ahead)
	if err != nil {
		return none("Listers", err)
	}
	var parts []fit.QuotaPart
	for _, component := range request.Components {
		pod, refusal, err := s.admit(member, candidate{pod: template.Synthetic(component.Requirements, request.Namespace, component.Name)})
		if err != nil {
			return none("Listers", err)
		}
		if refusal != "" {
			return refused(refusal)
		}
		q.Parts = append(q.Parts, oracle.Part{Pod: pod, Count: int(component.Replicas)})
		parts = append(parts, fit.QuotaPart{Pod: pod, Count: int(component.Replicas)})
	}
	room, why := fit.QuotaSets(parts, quotas)
	if room == 0 {
		return refused(why)
	}
	q.Most = room
	answer, err := member.Oracle.FitSets(ctx, q)
	if err != nil {
		return none("Oracle", err)
	}
	return reply{value: clamp(answer.Count), answer: answer}
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
