package v1alpha1

// Conditions of a VMReplicaSet. Each reason is also the reason of the event that tells of the change.
const (
	// ConditionAvailable is True while enough servers have been ready for minReadySeconds (VMReplicaSet), or while no more than maxUnavailable
	// do not serve, with whatever release (VMDeployment).
	ConditionAvailable = "Available"
	// ConditionProgressing is True while servers are created, changed or removed towards the spec
	// (VMReplicaSet, VMDeployment).
	ConditionProgressing = "Progressing"
	// ConditionReplicaFailure is True while a server cannot be created or removed (VMReplicaSet).
	ConditionReplicaFailure = "ReplicaFailure"
	// ConditionAwaitingApproval is True while a gate waits for a person; this is healthy, not a failure
	// (VMReplicaSet, VMDeployment, Server).
	ConditionAwaitingApproval = "AwaitingApproval"
	// ConditionRemediationAllowed is False while so many servers are unhealthy that failing more over would be
	// guessing: the budget spec.failover.maxUnhealthy is spent (VMReplicaSet).
	ConditionRemediationAllowed = "RemediationAllowed"
	// ConditionPaused is True while spec.paused holds the object still (VMReplicaSet, VMDeployment, Server).
	ConditionPaused = "Paused"
	// ConditionComplete is True once every batch of the current release was delivered and ready, and stays so until another release is asked
	// for: who dies later is told by Available (VMDeployment).
	ConditionComplete = "Complete"
	// ConditionStalled is True when a rollout that is not Complete made no progress for progressDeadlineSeconds, or a batch failed for good
	// (VMDeployment).
	ConditionStalled = "Stalled"
	// ConditionReady is True while the server serves: code, health check, monitoring and load balancers (Server).
	ConditionReady = "Ready"
	// ConditionReachable is True while the machine answers over its network: its health check passes, or something answers where it is logged
	// into or probed. It is False when it does not run, or answered before and did not for 30 seconds, four times in a row. A driver that
	// says that it runs is not enough: without anything to ask the machine by, Reachable is Unknown (Server).
	ConditionReachable = "Reachable"
	// ConditionMachineChangeHeld is True while servers keep a machine of an older template, which onMachineChange Hold asks for
	// (VMReplicaSet).
	ConditionMachineChangeHeld = "MachineChangeHeld"
	// ConditionHealthy is False when the health check failed failureThreshold times in a row (Server).
	ConditionHealthy = "Healthy"
	// ConditionMonitored is True while the discovery names the server to monitoring systems. Whether they scrape it, their own metric `up`
	// says; with an alertQuery, MonitoringNormal goes by it (Server).
	ConditionMonitored = "Monitored"
	// ConditionMonitoringNormal is False while a monitor's alertQuery gives anything, and True while all give nothing and Prometheus scrapes
	// the server; what it does not answer is Unknown, and moves nobody (Server).
	ConditionMonitoringNormal = "MonitoringNormal"
	// ConditionFailoverDue is True when a server has been unreachable for failover.unknownTimeoutSeconds (Server).
	ConditionFailoverDue = "FailoverDue"
	// ConditionTaskBlocked is True when a task failed for good and a person must decide (Server).
	ConditionTaskBlocked = "TaskBlocked"
)

// Reasons of those conditions.
const (
	// ReasonMinimumServersAvailable says why Available is True.
	ReasonMinimumServersAvailable = "MinimumServersAvailable"
	// ReasonMinimumServersUnavailable says why Available is False.
	ReasonMinimumServersUnavailable = "MinimumServersUnavailable"
	// ReasonRollingOut says that servers are on their way to the updated revision.
	ReasonRollingOut = "RollingOut"
	// ReasonRolloutComplete says that all servers that should be updated are.
	ReasonRolloutComplete = "RolloutComplete"
	// ReasonProgressDeadlineExceeded says why Stalled is True.
	ReasonProgressDeadlineExceeded = "ProgressDeadlineExceeded"
	// ReasonBatchFailed says that servers of the current batch failed for good.
	ReasonBatchFailed = "BatchFailed"
	// ReasonServerCreateFailed says that the machine driver refused to make a server.
	ReasonServerCreateFailed = "ServerCreateFailed"
	// ReasonServerDeleteFailed says that the machine driver refused to remove a server.
	ReasonServerDeleteFailed = "ServerDeleteFailed"
	// ReasonGateAnswered is the reason of the event that a gate's webhook approved or rejected an operation.
	ReasonGateAnswered = "GateAnswered"
	// ReasonGateUnanswered is the reason of the event that a gate's webhook did not answer, or not clearly: the gate stays shut.
	ReasonGateUnanswered = "GateUnanswered"
	// ReasonNotifyFailed is the reason of the event that whom a gate's notifyRef names could not be told.
	ReasonNotifyFailed = "NotifyFailed"
	// ReasonAlertFires says that a monitor's alertQuery gives something: MonitoringNormal is False.
	ReasonAlertFires = "AlertFires"
	// ReasonNoAlert says that all alert queries give nothing, of a server that Prometheus scrapes: MonitoringNormal is True.
	ReasonNoAlert = "NoAlert"
	// ReasonNotScraped says that Prometheus has no up{namespace, server, monitor} of 1: a query that gives nothing says nothing then, and
	// MonitoringNormal is Unknown.
	ReasonNotScraped = "NotScraped"
	// ReasonPrometheusUnanswered says that Prometheus did not answer: MonitoringNormal is Unknown.
	ReasonPrometheusUnanswered = "PrometheusUnanswered"
	// ReasonNotAskedYet says that nobody asked yet, or that monitoring is not told of the server: MonitoringNormal is Unknown.
	ReasonNotAskedYet = "NotAskedYet"
	// ReasonGateWaiting says why AwaitingApproval is True.
	ReasonGateWaiting = "GateWaiting"
	// ReasonNoGateWaiting says why AwaitingApproval is False.
	ReasonNoGateWaiting = "NoGateWaiting"
	// ReasonTooManyUnhealthy says why RemediationAllowed is False.
	ReasonTooManyUnhealthy = "TooManyUnhealthy"
	// ReasonWithinBudget says why RemediationAllowed is True.
	ReasonWithinBudget = "WithinBudget"
	// ReasonPaused says that spec.paused is set.
	ReasonPaused = "Paused"
	// ReasonResumed says that spec.paused is no longer set.
	ReasonResumed = "Resumed"
	// ReasonHeartbeatLost says that a machine runs, as its driver says, and answers no more: Reachable is False.
	ReasonHeartbeatLost = "HeartbeatLost"
	// ReasonHeartbeatFresh says that a machine answers: Reachable is True.
	ReasonHeartbeatFresh = "HeartbeatFresh"
	// ReasonNothingToAsk says that a machine runs, as its driver says, and has neither machine.access nor a health check by which it could be
	// asked: Reachable is Unknown.
	ReasonNothingToAsk = "NothingToAsk"
	// ReasonHealthCheckPassed says why Healthy is True.
	ReasonHealthCheckPassed = "HealthCheckPassed"
	// ReasonHealthCheckFailed says why Healthy is False.
	ReasonHealthCheckFailed = "HealthCheckFailed"
	// ReasonProberBlind says that so many servers fail their health check at once, or do not answer, that the fault is likely elsewhere:
	// Healthy is False, or Reachable Unknown, and nobody is taken out of service for it.
	ReasonProberBlind = "ProberBlind"
	// ReasonNotProbedYet says that a service is coming up, or was not asked yet: Healthy is Unknown; of a machine that it runs and never
	// answered since it was made: Reachable is Unknown.
	ReasonNotProbedYet = "NotProbedYet"
	// ReasonTaskFailed says why TaskBlocked is True.
	ReasonTaskFailed = "TaskFailed"
	// ReasonNoTaskFailed says why TaskBlocked is False.
	ReasonNoTaskFailed = "NoTaskFailed"
	// ReasonUnknownForTooLong says why FailoverDue is True.
	ReasonUnknownForTooLong = "UnknownForTooLong"
	// ReasonNotUnknownForTooLong says why FailoverDue is False.
	ReasonNotUnknownForTooLong = "NotUnknownForTooLong"
	// ReasonAbandonedLowered is the reason of the event that the control plane's numbers were lowered by servers that members gave up
	// without replacement (onUnrepairable Abandon).
	ReasonAbandonedLowered = "AbandonedReplicasLowered"
	// ReasonAbandonedNotLowered is the reason of the event that they were not, and why.
	ReasonAbandonedNotLowered = "AbandonedReplicasNotLowered"
	// ReasonMachineBooting says that a machine is there and does not run yet: Reachable is Unknown.
	ReasonMachineBooting = "MachineBooting"
	// ReasonMachineStopped says that the driver surely knows that the machine does not run: Reachable is False.
	ReasonMachineStopped = "MachineStopped"
	// ReasonMachineGone says that the driver surely has no such machine any more: Reachable is False.
	ReasonMachineGone = "MachineGone"
	// ReasonMachineNotFound says that the driver does not find the machine, and not for long enough to believe it: Reachable is Unknown.
	ReasonMachineNotFound = "MachineNotFound"
	// ReasonDriverUnanswered says that the driver could not be asked, or did not know: Reachable is Unknown.
	ReasonDriverUnanswered = "DriverUnanswered"
	// ReasonTemplateNotSupported says that the template asks for what this version does not deliver: no server is made (ReplicaFailure).
	ReasonTemplateNotSupported = "TemplateNotSupported"
	// ReasonTargetMissing says that a VMDeployment's target is not there (Stalled).
	ReasonTargetMissing = "TargetMissing"
	// ReasonTargetTaken says that an older VMDeployment delivers to the same target (Stalled).
	ReasonTargetTaken = "TargetTaken"
	// ReasonRevisionMissing says that spec.rollbackTo names a revision that is not kept (Stalled).
	ReasonRevisionMissing = "RevisionMissing"
	// ReasonSettingsMissing says that a ConfigMap or Secret of the template is not there: no server is made or changed. One that machines
	// are given at their first boot is missed where a server is to be made alone (ReplicaFailure).
	ReasonSettingsMissing = "SettingsMissing"
	// ReasonServerNameTaken says that the name of a server that is to be made is somebody else's: it is left alone, and the next number is
	// taken (ReplicaFailure, until the set lacks none).
	ReasonServerNameTaken = "ServerNameTaken"
	// ReasonSelectorOverlap says that an older set of the namespace has a claim on the same servers by its selector: no server is made or
	// changed (ReplicaFailure).
	ReasonSelectorOverlap = "SelectorOverlap"
	// ReasonNoReplicaFailure says why ReplicaFailure is False.
	ReasonNoReplicaFailure = "NoReplicaFailure"
	// ReasonMachinesAsAsked says why MachineChangeHeld is False.
	ReasonMachinesAsAsked = "MachinesAsAsked"
	// ReasonOlderMachines says why MachineChangeHeld is True.
	ReasonOlderMachines = "OlderMachines"
	// ReasonMonitorAttached says why Monitored is True.
	ReasonMonitorAttached = "MonitorAttached"
	// ReasonMonitorPaused says why Monitored is False.
	ReasonMonitorPaused = "MonitorPaused"
	// ReasonAttached is the reason of the event that a server came into a pool.
	ReasonAttached = "Attached"
	// ReasonDraining is the reason of the event that a server gets no new connections from a pool.
	ReasonDraining = "Draining"
	// ReasonDetached is the reason of the event that a server left a pool.
	ReasonDetached = "Detached"
	// ReasonRemoving says that the set is being deleted (Progressing).
	ReasonRemoving = "Removing"
)

// Reasons of condition Ready of a Server: the rows of the table that decides its phase (docs/reference/vm-states.md).
const (
	// ReasonDeleting says that the Server is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonOverride says that a person decided.
	ReasonOverride = "Override"
	// ReasonTakenOffline says that spec.offline is set.
	ReasonTakenOffline = "TakenOffline"
	// ReasonStaysOffline says that what went offline stays so.
	ReasonStaysOffline = "StaysOffline"
	// ReasonUnreachable says that the machine is gone, or cannot be reached.
	ReasonUnreachable = "Unreachable"
	// ReasonVerifying says that what is installed is being looked at, after an outage or a boot.
	ReasonVerifying = "Verifying"
	// ReasonProvisioning says that the machine and its environment are being made.
	ReasonProvisioning = "Provisioning"
	// ReasonEnvironmentChanging says that packages are being changed.
	ReasonEnvironmentChanging = "EnvironmentChanging"
	// ReasonNoRelease says that no code is asked for.
	ReasonNoRelease = "NoRelease"
	// ReasonReleaseChanging says that code is being deployed.
	ReasonReleaseChanging = "ReleaseChanging"
	// ReasonUnhealthy says that the health check fails.
	ReasonUnhealthy = "Unhealthy"
	// ReasonNotHealthyYet says that the health check did not pass yet since the server was out of service.
	ReasonNotHealthyYet = "NotHealthyYet"
	// ReasonMonitoringAbnormal says that a monitor's alertQuery gives something.
	ReasonMonitoringAbnormal = "MonitoringAbnormal"
	// ReasonServing says that everything is as asked: the server serves, or is about to.
	ReasonServing = "Serving"
)
