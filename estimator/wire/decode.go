package wire

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Field numbers, from Karmada's pkg/estimator/pb (1.16 to 1.18) and pkg/estimator/service (1.19). A comment names the form.
const (
	requestCluster        protowire.Number = 1
	requestRequirements   protowire.Number = 2
	requestAssumed        protowire.Number = 3 // 1.18 and later
	setsComponents        protowire.Number = 2
	setsNamespace         protowire.Number = 3
	setsAssumed           protowire.Number = 4 // 1.18 and later
	assumedNamespace      protowire.Number = 1
	assumedComponents     protowire.Number = 2
	componentName         protowire.Number = 1
	componentRequirements protowire.Number = 2
	componentReplicas     protowire.Number = 3
	claimAffinity         protowire.Number = 1 // Kubernetes message
	claimSelector         protowire.Number = 2
	claimTolerations      protowire.Number = 3 // Kubernetes messages
	claimAffinityBytes    protowire.Number = 4 // 1.18 and later
	claimTolerationsBytes protowire.Number = 5 // 1.18 and later
)

// requirementFields differ between the two messages that carry requirements.
type requirementFields struct {
	claim, requests, namespace, priority, requestsBytes protowire.Number
}

var (
	replicaFields   = requirementFields{claim: 1, requests: 2, namespace: 3, priority: 4, requestsBytes: 5}
	componentFields = requirementFields{claim: 1, requests: 2, priority: 3, requestsBytes: 4}
)

// field is one field of a message: Bytes for length-delimited ones, Varint for integers.
type field struct {
	number protowire.Number
	bytes  []byte
	varint uint64
	kind   protowire.Type
}

// each walks the fields of a message.
func each(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		message = message[n:]
		f := field{number: number, kind: kind}
		switch kind {
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		message = message[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// decode takes absent requirements for empty ones: Karmada 1.18 leaves them out where a replica asks for nothing (a best-effort workload),
// which up to 1.17 were sent empty. Only where something else stands in the message, of which nothing is known, may they have moved there.
func (r *MaxAvailableReplicasRequest) decode(data []byte) error {
	seen, unknown := false, false
	err := each(data, func(f field) error {
		switch f.number {
		case requestCluster:
			r.Cluster = string(f.bytes)
		case requestRequirements:
			seen = true
			return r.Requirements.decode(f.bytes, replicaFields)
		case requestAssumed:
			return appendAssumed(&r.Assumed, f.bytes)
		default:
			unknown = true
		}
		return nil
	})
	if err == nil && unknown && !seen {
		return fmt.Errorf("requirements: %w", ErrUnknownForm)
	}
	return err
}

func (r *MaxAvailableComponentSetsRequest) decode(data []byte) error {
	err := each(data, func(f field) error {
		switch f.number {
		case requestCluster:
			r.Cluster = string(f.bytes)
		case setsComponents:
			return appendComponent(&r.Components, f.bytes)
		case setsNamespace:
			r.Namespace = string(f.bytes)
		case setsAssumed:
			return appendAssumed(&r.Assumed, f.bytes)
		}
		return nil
	})
	if err == nil && len(r.Components) == 0 {
		return ErrNoComponents
	}
	return err
}

func (r *UnschedulableReplicasRequest) decode(data []byte) error {
	return each(data, func(f field) error {
		switch f.number {
		case requestCluster:
			r.Cluster = string(f.bytes)
		case 2:
			return each(f.bytes, func(f field) error {
				switch f.number {
				case 1:
					r.APIVersion = string(f.bytes)
				case 2:
					r.Kind = string(f.bytes)
				case 3:
					r.Namespace = string(f.bytes)
				case 4:
					r.Name = string(f.bytes)
				}
				return nil
			})
		case 3:
			r.Threshold = time.Duration(int64(f.varint))
		}
		return nil
	})
}

func appendAssumed(list *[]AssumedWorkload, data []byte) error {
	var workload AssumedWorkload
	err := each(data, func(f field) error {
		switch f.number {
		case assumedNamespace:
			workload.Namespace = string(f.bytes)
		case assumedComponents:
			return appendComponent(&workload.Components, f.bytes)
		}
		return nil
	})
	*list = append(*list, workload)
	return err
}

func appendComponent(list *[]Component, data []byte) error {
	var component Component
	seen, unknown := false, false
	err := each(data, func(f field) error {
		switch f.number {
		case componentName:
			component.Name = string(f.bytes)
		case componentRequirements:
			seen = true
			return component.Requirements.decode(f.bytes, componentFields)
		case componentReplicas:
			component.Replicas = int32(f.varint)
		default:
			unknown = true
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case unknown && !seen:
		return fmt.Errorf("component %q: requirements: %w", component.Name, ErrUnknownForm)
	case component.Replicas < 0:
		return fmt.Errorf("component %q: %d replicas: %w", component.Name, component.Replicas, ErrQuantity)
	}
	*list = append(*list, component)
	return nil
}

// decode reads requirements in either form. Where both are sent (1.18) they say the same; the bytes are the newer and win.
// A message with content of which nothing is known is refused: read as empty it would ask for nothing and fit anywhere.
func (r *Requirements) decode(data []byte, fields requirementFields) error {
	var typed, opaque corev1.ResourceList
	unknown := false
	err := each(data, func(f field) error {
		switch f.number {
		case fields.claim:
			return r.decodeClaim(f.bytes)
		case fields.requests:
			return addQuantity(&typed, f.bytes)
		case fields.requestsBytes:
			return addQuantity(&opaque, f.bytes)
		case fields.priority:
			r.PriorityClassName = string(f.bytes)
		case fields.namespace:
			r.Namespace = string(f.bytes)
		default:
			unknown = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Requests = typed
	if len(opaque) > 0 {
		r.Requests = opaque
	}
	if unknown && len(r.Requests) == 0 {
		return fmt.Errorf("resource requests: %w", ErrUnknownForm)
	}
	return nil
}

// addQuantity reads one map entry. A Quantity message and a Quantity's own Marshal are the same bytes, so both forms meet here.
func addQuantity(list *corev1.ResourceList, entry []byte) error {
	var name string
	var quantity resource.Quantity
	err := each(entry, func(f field) error {
		switch f.number {
		case 1:
			name = string(f.bytes)
		case 2:
			if err := quantity.Unmarshal(f.bytes); err != nil {
				return fmt.Errorf("%w: decoding a quantity: %w", ErrMalformed, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if name == "" {
		return fmt.Errorf("%w: a quantity of no resource", ErrMalformed)
	}
	if quantity.Sign() < 0 {
		return fmt.Errorf("%s of %s: %w", quantity.String(), name, ErrQuantity)
	}
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[corev1.ResourceName(name)] = quantity
	return nil
}

func (r *Requirements) decodeClaim(data []byte) error {
	var typed, opaque []corev1.Toleration
	known, unknown := false, false
	err := each(data, func(f field) error {
		switch f.number {
		case claimAffinity, claimAffinityBytes:
			known = true
			affinity := &corev1.NodeSelector{}
			if err := affinity.Unmarshal(f.bytes); err != nil {
				return fmt.Errorf("%w: decoding node affinity: %w", ErrMalformed, err)
			}
			r.NodeAffinity = affinity
		case claimSelector:
			known = true
			return addLabel(&r.NodeSelector, f.bytes)
		case claimTolerations:
			known = true
			return addToleration(&typed, f.bytes)
		case claimTolerationsBytes:
			known = true
			return addToleration(&opaque, f.bytes)
		default:
			unknown = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Tolerations = typed
	if len(opaque) > 0 {
		r.Tolerations = opaque
	}
	if unknown && !known {
		return fmt.Errorf("node claim: %w", ErrUnknownForm)
	}
	return nil
}

func addToleration(list *[]corev1.Toleration, data []byte) error {
	var toleration corev1.Toleration
	if err := toleration.Unmarshal(data); err != nil {
		return fmt.Errorf("%w: decoding a toleration: %w", ErrMalformed, err)
	}
	*list = append(*list, toleration)
	return nil
}

func addLabel(labels *map[string]string, entry []byte) error {
	var key, value string
	err := each(entry, func(f field) error {
		switch f.number {
		case 1:
			key = string(f.bytes)
		case 2:
			value = string(f.bytes)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if *labels == nil {
		*labels = map[string]string{}
	}
	(*labels)[key] = value
	return nil
}
