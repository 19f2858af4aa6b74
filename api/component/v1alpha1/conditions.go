package v1alpha1

// Conditions of a Component. Each reason is also the reason of the event that tells of the change.
const (
	// ConditionRendered is True when the objects were rendered from the templates of this cluster.
	ConditionRendered = "Rendered"
	// ConditionReady is True while enough replicas serve.
	ConditionReady = "Ready"
	// ConditionProgressing is True while replicas are on their way to the current revision.
	ConditionProgressing = "Progressing"
	// ConditionDegraded is True while the component serves with fewer replicas than asked for, or while those of a change do not come up: its
	// reason is then one of Ready's.
	ConditionDegraded = "Degraded"
	// ConditionUnmanaged is True while AnnotationUnmanaged keeps the controller away from the objects.
	ConditionUnmanaged = "Unmanaged"
	// ConditionLoadBalancerReady is True when a Service of type LoadBalancer has its address.
	ConditionLoadBalancerReady = "LoadBalancerReady"
)

// Reasons of those conditions.
const (
	// ReasonRendered says that the objects were made and are in place; where no template matches, of the Component alone.
	ReasonRendered = "Rendered"
	// ReasonAdoptedWithForeignFields says that what ran before was taken over, and which fields of it somebody else still owns.
	ReasonAdoptedWithForeignFields = "AdoptedWithForeignFields"
	// ReasonTemplateInvalid says which template of this cluster does not fit, and where.
	ReasonTemplateInvalid = "TemplateInvalid"
	// ReasonPatchInvalid says which field of the Component, or which of spec.patches, does not apply.
	ReasonPatchInvalid = "PatchInvalid"
	// ReasonObjectTaken says that an object of that name was there before, and whose it is. It is left alone.
	ReasonObjectTaken = "ObjectTaken"
	// ReasonObjectDeleted says which rendered objects are being deleted; they are made again when they are gone.
	ReasonObjectDeleted = "ObjectDeleted"
	// ReasonAdoptionWouldRestart says what would change in the running service if it were taken over. It is left alone.
	ReasonAdoptionWouldRestart = "AdoptionWouldRestart"
	// ReasonApplyRefused says what the cluster answered to an object it does not take: a quota, a policy, a field that cannot change.
	ReasonApplyRefused = "ApplyRefused"
	// ReasonApplyFailed says what the cluster answered to what may succeed when it is tried again: too much at once, a webhook that is away.
	ReasonApplyFailed = "ApplyFailed"

	// ReasonReplicasReady says why Ready is True.
	ReasonReplicasReady = "ReplicasReady"
	// ReasonReplicasNotReady says why Ready is False: copies are starting, and nothing is known to be wrong.
	ReasonReplicasNotReady = "ReplicasNotReady"
	// ReasonImageNotPulled says that the image of spec.image cannot be fetched.
	ReasonImageNotPulled = "ImageNotPulled"
	// ReasonProgramEnds says that the program ends soon after it starts, again and again.
	ReasonProgramEnds = "ProgramEnds"
	// ReasonOutOfMemory says that the program took more memory than its limit and was stopped for it.
	ReasonOutOfMemory = "OutOfMemory"
	// ReasonSettingsMissing says which ConfigMap, Secret or key the program is started with is not there.
	ReasonSettingsMissing = "SettingsMissing"
	// ReasonNoRoom says why no machine of the cluster takes a copy.
	ReasonNoRoom = "NoRoom"
	// ReasonCheckFails says that the program runs and does not pass its readiness check.
	ReasonCheckFails = "CheckFails"
	// ReasonPodsRefused says why the cluster makes no pods: a quota or a policy.
	ReasonPodsRefused = "PodsRefused"
	// ReasonNotApplied says that there is no workload to ask.
	ReasonNotApplied = "NotApplied"
	// ReasonNotObserved says that the cluster has not looked at the change yet.
	ReasonNotObserved = "NotObserved"
	// ReasonScaledToZero says why Ready is True with no replica asked for.
	ReasonScaledToZero = "ScaledToZero"

	// ReasonRollingOut says why Progressing is True.
	ReasonRollingOut = "RollingOut"
	// ReasonRolloutStuck says that a change has made no progress for longer than its deadline.
	ReasonRolloutStuck = "RolloutStuck"
	// ReasonCanaryPaused says that a canary step waits for a person or for its seconds: healthy.
	ReasonCanaryPaused = "CanaryPaused"
	// ReasonRolloutComplete says why Progressing is False.
	ReasonRolloutComplete = "RolloutComplete"

	// ReasonFewerReplicas says why Degraded is True: it serves, with fewer copies than asked for.
	ReasonFewerReplicas = "FewerReplicas"
	// ReasonAsAsked says why Degraded is False.
	ReasonAsAsked = "AsAsked"

	// ReasonOptedOut says why Unmanaged is True.
	ReasonOptedOut = "OptedOut"
	// ReasonManaged says why Unmanaged is False, once it was True.
	ReasonManaged = "Managed"

	// ReasonAddressAssigned says why LoadBalancerReady is True.
	ReasonAddressAssigned = "AddressAssigned"
	// ReasonAddressPending says why LoadBalancerReady is False.
	ReasonAddressPending = "AddressPending"
	// ReasonTargetsUnhealthy says that the load balancer stands and that no node answers its health check.
	ReasonTargetsUnhealthy = "TargetsUnhealthy"
	// ReasonLoadBalancerFailed says that the provider has given the load balancer up, in its words.
	ReasonLoadBalancerFailed = "LoadBalancerFailed"
	// ReasonLoadBalancerRemoving says that the Service goes when its provider has removed the load balancer.
	ReasonLoadBalancerRemoving = "LoadBalancerRemoving"
	// ReasonProviderRefused says what the provider answered to what it will never do.
	ReasonProviderRefused = "ProviderRefused"
	// ReasonProviderUnanswered says why LoadBalancerReady is Unknown: the provider was asked in vain.
	ReasonProviderUnanswered = "ProviderUnanswered"
	// ReasonProviderNotConfigured says why LoadBalancerReady is Unknown: the load balancer was made, and its provider is gone from the
	// configuration of argosy-member-manager.
	ReasonProviderNotConfigured = "ProviderNotConfigured"
)

// Reasons of events that no condition has.
const (
	// ReasonPruned tells of an object that was deleted because the Component no longer becomes it.
	ReasonPruned = "Pruned"
	// ReasonAdopted tells of a running object that was taken over.
	ReasonAdopted = "Adopted"
	// ReasonNothingToAdopt tells of an object that spec.adopt names and that was not there: it was made anew.
	ReasonNothingToAdopt = "NothingToAdopt"
	// ReasonReleased tells of objects that were let go because of AnnotationUnmanaged.
	ReasonReleased = "Released"
	// ReasonWaveStopped tells of a component for which a change of templates goes no further, where no template is there that could tell it.
	ReasonWaveStopped = "WaveStopped"
	// ReasonHandedOver tells of a component that another manager acts on from now on: LabelControllerID names it.
	ReasonHandedOver = "HandedOver"
	// ReasonTakenOver tells of a component whose manager had not been there for long enough, and that another acts on from now on.
	ReasonTakenOver = "TakenOver"
)

// AnnotationUnmanaged, with the value "true", keeps the controller away from what it rendered. It may be set in one
// member alone: annotations that a member adds survive Karmada. Once the condition Unmanaged says True the objects are
// nobody's, and outlive the Component.
const AnnotationUnmanaged = "component.luojilab.com/unmanaged"

// LabelControllerID names the manager that is to act on a Component: the controllerID of its configuration. Without it that is the one
// called default. status.controllerID says who does.
const LabelControllerID = "component.luojilab.com/controller-id"

// What argosy-member-manager writes into a Service whose loadBalancerClass is one of its own providers.
const (
	// FinalizerLoadBalancer keeps the Service until its provider has removed the load balancer.
	FinalizerLoadBalancer = "component.luojilab.com/load-balancer"
	// AnnotationLoadBalancerProvider is the provider that has one for the Service.
	AnnotationLoadBalancerProvider = "component.luojilab.com/load-balancer-provider"
	// ConditionServiceLoadBalancer, in status.conditions of the Service, is what the provider said last.
	ConditionServiceLoadBalancer = "component.luojilab.com/LoadBalancer"
)

// LoadBalancerParams is the prefix of annotations of a Service that its provider is told: their names without it are params of the
// contract.
const LoadBalancerParams = "params.load-balancer.luojilab.com/"

// AnnotationAdoptWithRestart, with the value "true", lets spec.adopt take over a service whose pods it would replace.
const AnnotationAdoptWithRestart = "component.luojilab.com/adopt-with-restart"

// AnnotationRenderedHash is what was rendered, on each object that was.
const AnnotationRenderedHash = "component.luojilab.com/rendered-hash"

// FieldManager owns what is rendered, in the managedFields of each object.
const FieldManager = "argosy-component"

// ClusterValuesName is the ConfigMap in the member manager's namespace whose data are a cluster's values: $(cluster.KEY).
const ClusterValuesName = "argosy-cluster"

// LabelTrack tells the copies of a canary apart: on its Deployment's pods it is TrackCanary.
const (
	LabelTrack  = "component.luojilab.com/track"
	TrackCanary = "canary"
)

// MainContainer is the name of the container that runs spec.image in every rendered pod template, so that
// spec.patches can speak of it; spec.adopt may name another.
const MainContainer = "main"

// LabelComponent names the Component on every object rendered from it and on its pods: workload and Service select by it.
const LabelComponent = "component.luojilab.com/component"

// LabelTemplateRevision is on the copies of templates that Components are rendered from.
const LabelTemplateRevision = "component.luojilab.com/template-revision"
