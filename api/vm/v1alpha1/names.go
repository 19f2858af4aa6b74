package v1alpha1

// Marks that the controllers in members set and read.
const (
	// LabelSet is the VMReplicaSet a Server was made for.
	LabelSet = "vm.argosy.dev/set"
	// LabelRevision is the environment a Server was granted.
	LabelRevision = "vm.argosy.dev/revision"
	// AnnotationGrantedAt is when it was granted, in RFC 3339.
	AnnotationGrantedAt = "vm.argosy.dev/granted-at"
	// AnnotationSettings is the hash of the packages' ConfigMaps and Secrets as they were granted: a change of theirs is a change of the
	// environment, at the safe frequency. Too short to find out what they are.
	AnnotationSettings = "vm.argosy.dev/settings"
	// AnnotationOfflineReason says why its set takes a Server out of service.
	AnnotationOfflineReason = "vm.argosy.dev/offline-reason"
	// AnnotationGivenUp is on a Server that its set gave up because it could not be reached; its value is the operation.
	AnnotationGivenUp = "vm.argosy.dev/given-up"
	// AnnotationFence is on a Server whose machine its set wants stopped before it is given up; its value is the operation of the outage.
	AnnotationFence = "vm.argosy.dev/fence"
	// FinalizerServers keeps a VMReplicaSet until its Servers are gone.
	FinalizerServers = "vm.argosy.dev/servers"
	// FinalizerMachine keeps a Server until its machine is gone, or left to itself on purpose.
	FinalizerMachine = "vm.argosy.dev/machine"
	// FinalizerLoadBalancer keeps a Server until it is out of the pools of its load balancers, or was left in them on purpose.
	FinalizerLoadBalancer = "vm.argosy.dev/loadbalancer"
	// FinalizerMonitor keeps a Server until its monitors are paused, or were left on purpose.
	FinalizerMonitor = "vm.argosy.dev/monitor"
)
