package wire

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
)

var (
	// ErrMalformed: the bytes are not the message they claim to be.
	ErrMalformed = errors.New("malformed request")
	// ErrUnknownForm: the message has content, but in none of the forms known here.
	ErrUnknownForm = errors.New("requirements in no known wire form")
	// ErrNoComponents: a question about sets of components names none.
	ErrNoComponents = errors.New("no components in the request")
	// ErrQuantity: a quantity that no pod can ask for.
	ErrQuantity = errors.New("impossible quantity")
)

// Requirements is what one replica needs, as far as karmada-scheduler tells: no pod affinity, spread, ports or volumes.
type Requirements struct {
	NodeAffinity      *corev1.NodeSelector
	NodeSelector      map[string]string
	Tolerations       []corev1.Toleration
	Requests          corev1.ResourceList
	Namespace         string
	PriorityClassName string
}

// Component is one part of a workload that is placed whole: Replicas pods of one kind.
type Component struct {
	Name         string
	Requirements Requirements
	Replicas     int32
}

// AssumedWorkload is a workload that the scheduler has assigned and the member does not show yet (Karmada 1.18 with its gate
// SchedulingOvercommitProtection).
type AssumedWorkload struct {
	Namespace  string
	Components []Component
}

// MaxAvailableReplicasRequest asks how many replicas fit. Fault is what is wrong with the request itself; it is carried here, not
// returned by the codec, because an error on the wire makes karmada-scheduler discard the answers of all clusters.
type MaxAvailableReplicasRequest struct {
	Cluster      string
	Requirements Requirements
	Assumed      []AssumedWorkload
	Fault        error
}

// MaxAvailableComponentSetsRequest asks how many whole sets of components fit.
type MaxAvailableComponentSetsRequest struct {
	Cluster    string
	Namespace  string
	Components []Component
	Assumed    []AssumedWorkload
	Fault      error
}

// UnschedulableReplicasRequest asks how many replicas of a workload have stood unschedulable for at least Threshold.
type UnschedulableReplicasRequest struct {
	Cluster    string
	APIVersion string
	Kind       string
	Namespace  string
	Name       string
	Threshold  time.Duration
	Fault      error
}

// Count is the answer to all three: one int32 in field 1.
type Count struct {
	Value int32
}
