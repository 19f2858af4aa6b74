package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ResourceAmounts is a corev1.ResourceList of at most 16 resources.
// +kubebuilder:validation:MaxProperties=16
type ResourceAmounts map[corev1.ResourceName]resource.Quantity

// StrategyType says how a change reaches the replicas.
// +kubebuilder:validation:Enum=Rolling;Canary
type StrategyType string

const (
	// StrategyRolling replaces replicas until all are new.
	StrategyRolling StrategyType = "Rolling"
	// StrategyCanary replaces them in steps, with a pause after each.
	StrategyCanary StrategyType = "Canary"
)

// RollingStrategy is the pace of a rolling change.
// +kubebuilder:validation:XValidation:rule="!(has(self.maxUnavailable) && has(self.maxSurge)) || !((type(self.maxUnavailable) == string ? self.maxUnavailable == '0%' : self.maxUnavailable == 0) && (type(self.maxSurge) == string ? self.maxSurge == '0%' : self.maxSurge == 0))",message="maxUnavailable and maxSurge must not both be 0: nothing would ever be replaced"
type RollingStrategy struct {
	// maxUnavailable is how many replicas may be missing at a time: a number or a percentage over all members,
	// which the federation divides, but never to 0.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^(100|[0-9]{1,2})%$`
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 0",message="maxUnavailable must be 0 or more, or a percentage"
	// +kubebuilder:default="25%"
	// +optional
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// maxSurge is how many replicas may exist beyond the asked number: divided as maxUnavailable is.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^(100|[0-9]{1,2})%$`
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 0",message="maxSurge must be 0 or more, or a percentage"
	// +kubebuilder:default="25%"
	// +optional
	MaxSurge *intstr.IntOrString `json:"maxSurge,omitempty"`
}

// CanaryPause says what stands after a canary step.
// +kubebuilder:validation:Enum=Approval;Seconds
type CanaryPause string

const (
	// CanaryPauseApproval waits for a person.
	CanaryPauseApproval CanaryPause = "Approval"
	// CanaryPauseSeconds waits for pauseSeconds.
	CanaryPauseSeconds CanaryPause = "Seconds"
)

// CanaryStep is one step of a canary change.
// +kubebuilder:validation:XValidation:rule="(self.pause == 'Seconds') == has(self.pauseSeconds)",message="pauseSeconds is set exactly when pause is Seconds"
type CanaryStep struct {
	// replicas that are new after this step, in all and not in addition: a number or a percentage over all members,
	// which the federation divides exactly.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^(100|[1-9][0-9]?)%$`
	// +kubebuilder:validation:XValidation:rule="type(self) == string || self >= 0",message="replicas of a step must be 0 or more, or a percentage above 0%"
	// +required
	Replicas intstr.IntOrString `json:"replicas"`

	// pause after the step.
	// +kubebuilder:default=Approval
	// +optional
	Pause CanaryPause `json:"pause,omitempty"`

	// pauseSeconds to watch the step, with pause Seconds.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	// +optional
	PauseSeconds *int32 `json:"pauseSeconds,omitempty"`
}

// CanaryStrategy is the list of steps; after the last, every replica is replaced.
type CanaryStrategy struct {
	// steps in order.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +required
	Steps []CanaryStep `json:"steps"`
}

// Strategy says how a change reaches the replicas.
// +kubebuilder:validation:XValidation:rule="(self.type == 'Canary') == has(self.canary)",message="canary is set exactly when type is Canary"
// +kubebuilder:validation:XValidation:rule="self.type == 'Rolling' || !has(self.rolling)",message="rolling needs type Rolling"
type Strategy struct {
	// type of the strategy.
	// +kubebuilder:default=Rolling
	// +optional
	Type StrategyType `json:"type,omitempty"`

	// rolling is the pace with type Rolling; by default a quarter at a time.
	// +optional
	Rolling *RollingStrategy `json:"rolling,omitempty"`

	// canary is the steps with type Canary.
	// +optional
	Canary *CanaryStrategy `json:"canary,omitempty"`
}
