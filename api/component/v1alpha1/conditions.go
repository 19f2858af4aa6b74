package v1alpha1

// Conditions of a Component. Each reason is also the reason of the event that tells of the change.
const (
	// ConditionRendered is True when the objects were rendered from the templates of this cluster.
	ConditionRendered = "Rendered"
	// ConditionReady is True while enough replicas serve.
	ConditionReady = "Ready"
	// ConditionProgressing is True while replicas are on their way to the current revision.
	ConditionProgressing = "Progressing"
	// ConditionDegraded is True while the component serves with fewer replicas than asked for.
	ConditionDegraded = "Degraded"
	// ConditionUnmanaged is True while AnnotationUnmanaged keeps the controller away from the objects.
	ConditionUnmanaged = "Unmanaged"
	// ConditionLoadBalancerReady is True when a Service of type LoadBalancer has its address.
	ConditionLoadBalancerReady = "LoadBalancerReady"
)

// Reasons of those conditions.
const (
	// ReasonRendered says that the objects were made; where no template matches, of the Component alone.
	ReasonRendered = "Rendered"
	// ReasonTemplateInvalid says which template of this cluster does not fit, and where.
	ReasonTemplateInvalid = "TemplateInvalid"
	// ReasonPatchInvalid says which of spec.patches does not apply.
	ReasonPatchInvalid = "PatchInvalid"
	// ReasonReplicasReady says why Ready is True.
	ReasonReplicasReady = "ReplicasReady"
	// ReasonReplicasNotReady says why Ready is False.
	ReasonReplicasNotReady = "ReplicasNotReady"
	// ReasonRollingOut says why Progressing is True.
	ReasonRollingOut = "RollingOut"
	// ReasonCanaryPaused says that a canary step waits for a person or for its seconds: healthy.
	ReasonCanaryPaused = "CanaryPaused"
	// ReasonRolloutComplete says why Progressing is False.
	ReasonRolloutComplete = "RolloutComplete"
	// ReasonOptedOut says why Unmanaged is True.
	ReasonOptedOut = "OptedOut"
)

// AnnotationUnmanaged, with the value "true", keeps the controller away from what it rendered. It may be set in one
// member alone: annotations that a member adds survive Karmada.
const AnnotationUnmanaged = "component.luojilab.com/unmanaged"

// MainContainer is the name of the container that runs spec.image in every rendered pod template, so that
// spec.patches can speak of it; spec.adopt may name another.
const MainContainer = "main"

// LabelComponent names the Component on every object rendered from it and on its pods: workload and Service select by it.
const LabelComponent = "component.luojilab.com/component"
