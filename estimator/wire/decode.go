package wire

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/argosy-dev/argosy/estimator/wire/pb"
)

// unmarshal reads a message. What could be read of a malformed one is in it.
func unmarshal(data []byte, into proto.Message) error {
	if err := proto.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// strange: fields stand in the message that nobody here knows.
func strange(message proto.Message) bool { return len(message.ProtoReflect().GetUnknown()) > 0 }

// decode takes absent requirements for empty ones: Karmada 1.18 leaves them out where a replica asks for nothing (a best-effort workload),
// which up to 1.17 were sent empty. Only where something else stands in the message, of which nothing is known, may they have moved there.
func (r *MaxAvailableReplicasRequest) decode(data []byte) error {
	var message pb.MaxAvailableReplicasRequest
	malformed := unmarshal(data, &message)
	r.Cluster = message.GetCluster()
	if malformed != nil {
		return malformed
	}
	asked := message.GetReplicaRequirements()
	if asked == nil && strange(&message) {
		return fmt.Errorf("requirements: %w", ErrUnknownForm)
	}
	var err error
	if r.Requirements, err = requirementsOf(asked); err != nil {
		return err
	}
	r.Requirements.Namespace = asked.GetNamespace()
	r.Assumed, err = assumedOf(message.GetAssumedWorkloads())
	return err
}

func (r *MaxAvailableComponentSetsRequest) decode(data []byte) error {
	var message pb.MaxAvailableComponentSetsRequest
	malformed := unmarshal(data, &message)
	r.Cluster, r.Namespace = message.GetCluster(), message.GetNamespace()
	if malformed != nil {
		return malformed
	}
	var err error
	if r.Components, err = componentsOf(message.GetComponents()); err != nil {
		return err
	}
	if r.Assumed, err = assumedOf(message.GetAssumedWorkloads()); err != nil {
		return err
	}
	if len(r.Components) == 0 {
		return ErrNoComponents
	}
	return nil
}

func (r *UnschedulableReplicasRequest) decode(data []byte) error {
	var message pb.UnschedulableReplicasRequest
	malformed := unmarshal(data, &message)
	of := message.GetResource()
	r.Cluster, r.Threshold = message.GetCluster(), time.Duration(message.GetUnschedulableThreshold())
	r.APIVersion, r.Kind, r.Namespace, r.Name = of.GetApiVersion(), of.GetKind(), of.GetNamespace(), of.GetName()
	return malformed
}

func assumedOf(messages []*pb.AssumedWorkload) (list []AssumedWorkload, err error) {
	for _, message := range messages {
		workload := AssumedWorkload{Namespace: message.GetNamespace()}
		if workload.Components, err = componentsOf(message.GetComponents()); err != nil {
			return nil, err
		}
		list = append(list, workload)
	}
	return list, nil
}

func componentsOf(messages []*pb.Component) ([]Component, error) {
	var list []Component
	for _, message := range messages {
		component := Component{Name: message.GetName(), Replicas: message.GetReplicas()}
		asked := message.GetReplicaRequirements()
		if asked == nil && strange(message) {
			return nil, fmt.Errorf("component %q: requirements: %w", component.Name, ErrUnknownForm)
		}
		if component.Replicas < 0 {
			return nil, fmt.Errorf("component %q: %d replicas: %w", component.Name, component.Replicas, ErrQuantity)
		}
		var err error
		if component.Requirements, err = requirementsOf(asked); err != nil {
			return nil, err
		}
		list = append(list, component)
	}
	return list, nil
}

// requirementsMessage is either message that carries requirements; nil is one that says nothing.
type requirementsMessage interface {
	proto.Message
	GetNodeClaim() *pb.NodeClaim
	GetResourceRequest() map[string][]byte
	GetResourceRequestBytes() map[string][]byte
	GetPriorityClassName() string
}

// requirementsOf reads requirements in either form. Where both are sent (1.18) they say the same; the bytes are the newer and win.
// A message with content of which nothing is known is refused: read as empty it would ask for nothing and fit anywhere.
func requirementsOf(message requirementsMessage) (Requirements, error) {
	r := Requirements{PriorityClassName: message.GetPriorityClassName()}
	if err := r.decodeClaim(message.GetNodeClaim()); err != nil {
		return r, err
	}
	requests := message.GetResourceRequestBytes()
	if len(requests) == 0 {
		requests = message.GetResourceRequest()
	}
	if len(requests) == 0 && strange(message) {
		return r, fmt.Errorf("resource requests: %w", ErrUnknownForm)
	}
	for name, text := range requests {
		quantity, err := quantityOf(name, text)
		if err != nil {
			return r, err
		}
		if r.Requests == nil {
			r.Requests = corev1.ResourceList{}
		}
		r.Requests[corev1.ResourceName(name)] = quantity
	}
	return r, nil
}

// quantityOf reads a Quantity, whose message and own Marshal are the same bytes.
func quantityOf(name string, text []byte) (resource.Quantity, error) {
	var quantity resource.Quantity
	if err := quantity.Unmarshal(text); err != nil {
		return quantity, fmt.Errorf("%w: decoding a quantity: %w", ErrMalformed, err)
	}
	if name == "" {
		return quantity, fmt.Errorf("%w: a quantity of no resource", ErrMalformed)
	}
	if quantity.Sign() < 0 {
		return quantity, fmt.Errorf("%s of %s: %w", quantity.String(), name, ErrQuantity)
	}
	return quantity, nil
}

func (r *Requirements) decodeClaim(message *pb.NodeClaim) error {
	if message == nil {
		return nil
	}
	affinity, tolerations := message.GetNodeAffinityBytes(), message.GetTolerationsBytes()
	if message.NodeAffinityBytes == nil {
		affinity = message.GetNodeAffinity()
	}
	if len(tolerations) == 0 {
		tolerations = message.GetTolerations()
	}
	r.NodeSelector = message.GetNodeSelector()
	if strange(message) && affinity == nil && len(tolerations)+len(r.NodeSelector) == 0 {
		return fmt.Errorf("node claim: %w", ErrUnknownForm)
	}
	if affinity != nil {
		r.NodeAffinity = &corev1.NodeSelector{}
		if err := r.NodeAffinity.Unmarshal(affinity); err != nil {
			return fmt.Errorf("%w: decoding node affinity: %w", ErrMalformed, err)
		}
	}
	for _, text := range tolerations {
		var toleration corev1.Toleration
		if err := toleration.Unmarshal(text); err != nil {
			return fmt.Errorf("%w: decoding a toleration: %w", ErrMalformed, err)
		}
		r.Tolerations = append(r.Tolerations, toleration)
	}
	return nil
}
