package server

import (
	"context"
	"fmt"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"

	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/estimator/wire"
)

// ahead is the room held for replicas that are promised to the member and not there yet: those that bindings say, and those that
// karmada-scheduler says it has assumed (1.18, with its gate SchedulingOvercommitProtection). It assumes all replicas of a workload,
// running ones too, so what a binding tells of is the binding's to say, and of the rest only the pods that are not seen are held for.
func (s *Server) ahead(reading context.Context, member *mirror.Member, others []awaited,
	assumed []wire.AssumedWorkload) []oracle.Reservation {
	var reservations []oracle.Reservation
	for _, one := range others {
		reservations = append(reservations, s.reservation(reading, member, one))
	}
	for _, workload := range assumed {
		for _, component := range workload.Components {
			// A workload of one component bears the component's name.
			if s.promises != nil && s.promises.Knows(member.Name, workload.Namespace, component.Name) {
				continue
			}
			missing := int(component.Replicas) - len(s.live(reading, member, template.Object{Namespace: workload.Namespace, Name: component.Name}))
			if missing > 0 {
				reservations = append(reservations,
					oracle.Reservation{Pod: template.Synthetic(component.Requirements, workload.Namespace, component.Name),
						Count: missing, For: "assumed " + workload.Namespace + "/" + component.Name})
			}
		}
	}
	return reservations
}

// awaited is a promise of which pods are missing.
type awaited struct {
	object       template.Object
	requirements wire.Requirements
	missing      int
}

// awaited are the promises to the member of which pods are missing. Their templates are read from here on, all side by side: one after the
// other a hundred would not be read in time.
func (s *Server) awaited(reading context.Context, member *mirror.Member) []awaited {
	if s.promises == nil {
		return nil
	}
	var found []awaited
	for _, promise := range s.promises.Ahead(member.Name, s.clock.Now()) {
		workload := mirror.Workload{Kind: promise.Workload.Kind, Namespace: promise.Workload.Namespace, Name: promise.Workload.Name,
			Group: schema.FromAPIVersionAndKind(promise.Workload.APIVersion, promise.Workload.Kind).Group}
		seen, err := member.PodsOf(reading, workload)
		if err != nil {
			klog.FromContext(reading).V(1).Info("Holding room for all promised replicas", "reason", "OwnerUnreadable", "error", err.Error())
		}
		missing := int(promise.Replicas) - len(seen)
		if missing <= 0 || promise.Requirements == nil {
			continue
		}
		one := awaited{object: template.Object{Kind: workload.Kind, Namespace: workload.Namespace, Name: workload.Name},
			requirements: requirementsOf(promise.Requirements), missing: missing}
		if s.templates != nil {
			s.templates.Start(reading, one.object)
		}
		found = append(found, one)
	}
	return found
}

// reservation is the room that the missing pods of a promise take.
func (s *Server) reservation(reading context.Context, member *mirror.Member, one awaited) oracle.Reservation {
	pod := template.Synthetic(one.requirements, one.object.Namespace, one.object.Name)
	if pods, err := s.pods(reading, member, one.object, true, one.requirements); err == nil {
		pod = pods[0].pod
	}
	if made, refusal, err := s.admit(member, pod); err == nil && refusal == "" {
		pod = made
	}
	return oracle.Reservation{Pod: pod, Count: one.missing,
		For: fmt.Sprintf("promised %s %s/%s", one.object.Kind, one.object.Namespace, one.object.Name)}
}

func requirementsOf(r *workv1alpha2.ReplicaRequirements) wire.Requirements {
	out := wire.Requirements{Requests: r.ResourceRequest, Namespace: r.Namespace, PriorityClassName: r.PriorityClassName}
	if r.NodeClaim != nil {
		out.NodeAffinity, out.NodeSelector, out.Tolerations = r.NodeClaim.HardNodeAffinity, r.NodeClaim.NodeSelector, r.NodeClaim.Tolerations
	}
	return out
}
