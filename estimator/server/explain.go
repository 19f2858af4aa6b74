package server

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/template"
)

// Explain answers a person: how many replicas of the workload fit the member, on which nodes, and what refuses the next. It is the answer
// that karmada-scheduler would get, with nothing promised to others.
func (s *Server) Explain(ctx context.Context, member *mirror.Member, workload *unstructured.Unstructured) (oracle.Answer, error) {
	pod, ok, err := s.kinds.Of(workload)
	if err != nil {
		return oracle.Answer{}, err
	}
	if !ok {
		return oracle.Answer{}, fmt.Errorf("%s %s has no pod template at spec.template: its pods are made in the member", workload.GetKind(),
			workload.GetName())
	}
	live := s.live(ctx, member, template.Object{Kind: workload.GetKind(), Namespace: workload.GetNamespace(), Name: workload.GetName()})
	c := s.fromTemplate(member, pod, live)
	r := s.fit(ctx, member, c, nil, true)
	if r.reason != "" {
		return r.answer, errors.Join(errors.New(r.reason), r.err)
	}
	return r.answer, nil
}
