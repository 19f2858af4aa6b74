package state

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// row is one line of the table. Its name is the reason of condition Ready.
type row struct {
	name string
	// when and until are the documentation's words for applies and for what ends it.
	when, until string
	phase       v1alpha1.ServerPhase
	// kind is empty for rows without an operation.
	kind  v1alpha1.OperationKind
	stage gatev1alpha1.GateStage
	// waits: while the row's gate is shut the server stays as the rows below say, and goes on serving.
	waits bool
	// again: what the row is for is a fact that must come true, so an operation that ended without it is begun anew.
	again bool
	tasks []v1alpha1.TaskType

	applies func(facts) bool
	target  func(facts) string
}

func fixed(target string) func(facts) string { return func(facts) string { return target } }

func releaseOf(f facts) string { return releaseTarget(f.spec.Release) }

func verifyOf(f facts) string { return "verify:" + f.boot() }

func environmentOf(f facts) string { return "environment:" + f.Environment }

// Targets of leaving: by itself, and because the set was deleted, with the machine or without it. What began before the set was deleted is
// another operation, so that whoever decides about the set's machines decides about this one too.
const (
	deleted        = "deleted"
	deletedWithSet = "deleted with its set"
	letGoWithSet   = "let go with its set"
)

func deletionOf(f facts) string {
	switch {
	case !f.SetDeleted || f.removing():
		return deleted
	case f.Removal == v1alpha1.RemovalApprove:
		return deletedWithSet
	case f.Removal == v1alpha1.RemovalKeep:
		return letGoWithSet
	}
	return deleted
}

// rows is the table, from the top.
var rows = []row{
	{
		name: v1alpha1.ReasonDeleting, when: "the Server is being deleted", until: "its finalizers are gone",
		phase: v1alpha1.ServerOffline, kind: v1alpha1.OperationOffline, waits: true,
		tasks: []v1alpha1.TaskType{
			v1alpha1.TaskDrainLoadBalancer,
			v1alpha1.TaskDetachLoadBalancer,
			v1alpha1.TaskPauseMonitor,
			v1alpha1.TaskDeleteMachine,
		},
		applies: func(f facts) bool { return f.Server.DeletionTimestamp != nil }, target: deletionOf,
	},
	{
		name: v1alpha1.ReasonOverride, when: "a live `spec.override`, stamped by admission",
		until:   "it expires, is removed or, with mode Once, was carried out",
		applies: func(f facts) bool { return f.override != nil },
		target:  func(f facts) string { return overrideTarget(f.override) },
	},
	{
		name: v1alpha1.ReasonTakenOffline, when: "`spec.offline`", until: "the Server is removed",
		phase: v1alpha1.ServerOffline, kind: v1alpha1.OperationOffline, stage: gatev1alpha1.StageOffline, waits: true,
		tasks:   []v1alpha1.TaskType{v1alpha1.TaskDrainLoadBalancer, v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskPauseMonitor},
		applies: func(f facts) bool { return f.spec.Offline }, target: fixed("offline"),
	},
	{
		name: v1alpha1.ReasonStaysOffline, when: "the system put it Offline before", until: "an override",
		phase: v1alpha1.ServerOffline,
		applies: func(f facts) bool {
			// What began to leave, and must ask since its set was deleted, is none that was offline before.
			return f.phase == v1alpha1.ServerOffline && f.status.DecidedBy == v1alpha1.DecidedBySystem && !f.is(v1alpha1.OperationOffline, deleted)
		},
	},
	{
		name:  v1alpha1.ReasonUnreachable,
		when:  "the driver says that the machine does not run, or has surely none, or Reachable is False and the prober is not blind",
		until: "it answers again",
		phase: v1alpha1.ServerUnknown, kind: v1alpha1.OperationFailover,
		tasks:   []v1alpha1.TaskType{v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskPauseMonitor, v1alpha1.TaskNotify, v1alpha1.TaskProbe},
		applies: facts.unreachable, target: fixed("unreachable"),
	},
	{
		name: v1alpha1.ReasonVerifying,
		when: "reachable again after Unknown, or what is installed is not known since a boot", until: "the environment was looked at",
		phase: v1alpha1.ServerInitializing, kind: v1alpha1.OperationEnvironment, again: true,
		tasks: []v1alpha1.TaskType{v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskVerifyEnvironment},
		applies: func(f facts) bool {
			unseen := f.phase == v1alpha1.ServerUnknown || f.status.EnvironmentHash == ""
			return f.made() && !f.underWay(v1alpha1.OperationProvision, provisioned) &&
				(unseen || f.underWay(v1alpha1.OperationEnvironment, verifyOf(f)))
		}, target: verifyOf,
	},
	{
		name: v1alpha1.ReasonProvisioning, when: "no machine yet", until: "the machine and its environment are there",
		phase: v1alpha1.ServerInitializing, kind: v1alpha1.OperationProvision, stage: gatev1alpha1.StageProvision, again: true,
		tasks: []v1alpha1.TaskType{
			v1alpha1.TaskCreateMachine,
			v1alpha1.TaskRecordLoadBalancer,
			v1alpha1.TaskInstallPackages,
			v1alpha1.TaskVerifyEnvironment,
		},
		applies: func(f facts) bool { return !f.made() || f.underWay(v1alpha1.OperationProvision, provisioned) }, target: fixed(provisioned),
	},
	{
		name: v1alpha1.ReasonEnvironmentChanging, when: "the environment found is not the one asked for", until: "it is",
		phase: v1alpha1.ServerInitializing, kind: v1alpha1.OperationEnvironment, stage: gatev1alpha1.StageEnvironment, waits: true, again: true,
		tasks: []v1alpha1.TaskType{
			v1alpha1.TaskDrainLoadBalancer, v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskRecordLoadBalancer,
			v1alpha1.TaskInstallPackages, v1alpha1.TaskVerifyEnvironment,
		},
		applies: func(f facts) bool {
			return f.status.EnvironmentHash != f.Environment || f.underWay(v1alpha1.OperationEnvironment, environmentOf(f))
		}, target: environmentOf,
	},
	{
		name: v1alpha1.ReasonNoRelease, when: "no release is asked for", until: "one is",
		phase: v1alpha1.ServerDeploying, kind: v1alpha1.OperationCode,
		tasks:   []v1alpha1.TaskType{v1alpha1.TaskDetachLoadBalancer},
		applies: func(f facts) bool { return f.spec.Release == nil }, target: fixed("none"),
	},
	{
		name: v1alpha1.ReasonReleaseChanging, when: "the release found is not the one asked for", until: "it is, and it is healthy",
		phase: v1alpha1.ServerDeploying, kind: v1alpha1.OperationCode, stage: gatev1alpha1.StageCode, waits: true, again: true,
		tasks: []v1alpha1.TaskType{
			v1alpha1.TaskDrainLoadBalancer,
			v1alpha1.TaskDetachLoadBalancer,
			v1alpha1.TaskDeployCode,
			v1alpha1.TaskCheckHealth,
		},
		applies: func(f facts) bool { return f.releaseDiffers() || f.underWay(v1alpha1.OperationCode, releaseOf(f)) }, target: releaseOf,
	},
	{
		name: v1alpha1.ReasonMonitoringAbnormal, when: "MonitoringNormal is False, or Unknown since it was", until: "it is True",
		phase: v1alpha1.ServerDeploying, kind: v1alpha1.OperationCode,
		tasks: []v1alpha1.TaskType{v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskCheckHealth},
		applies: func(f facts) bool {
			normal := apimeta.FindStatusCondition(f.status.Conditions, v1alpha1.ConditionMonitoringNormal)
			// Who was taken out for an alert does not come back because nobody answers.
			return normal != nil && (normal.Status == metav1.ConditionFalse ||
				normal.Status == metav1.ConditionUnknown && f.is(v1alpha1.OperationCode, "monitoring"))
		}, target: fixed("monitoring"),
	},
	{
		name: v1alpha1.ReasonUnhealthy, when: "Healthy is False, and the prober is not blind", until: "Healthy is True",
		phase: v1alpha1.ServerDeploying, kind: v1alpha1.OperationCode,
		tasks:   []v1alpha1.TaskType{v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskCheckHealth, v1alpha1.TaskNotify},
		applies: facts.unhealthy, target: fixed("health"),
	},
	{
		name: v1alpha1.ReasonNotHealthyYet, when: "nobody knows whether it is Healthy, and it is not Ready", until: "Healthy is True",
		phase: v1alpha1.ServerDeploying, kind: v1alpha1.OperationCode,
		tasks:   []v1alpha1.TaskType{v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskCheckHealth},
		applies: facts.notHealthyYet, target: fixed("coming up"),
	},
	{
		name: v1alpha1.ReasonServing, when: "all of it is true",
		phase: v1alpha1.ServerReady, kind: v1alpha1.OperationOnline, stage: gatev1alpha1.StageOnline,
		tasks:   []v1alpha1.TaskType{v1alpha1.TaskAttachMonitor, v1alpha1.TaskAttachLoadBalancer},
		applies: func(facts) bool { return true }, target: fixed("online"),
	},
}

// provisioned is the target of making a machine: what is installed on it meanwhile may change.
const provisioned = "machine"

// forced are the tasks of a state that a person asks for.
var forced = map[v1alpha1.OverrideState][]v1alpha1.TaskType{
	v1alpha1.OverrideState(v1alpha1.ServerOffline): {
		v1alpha1.TaskDrainLoadBalancer,
		v1alpha1.TaskDetachLoadBalancer,
		v1alpha1.TaskPauseMonitor,
	},
	v1alpha1.OverrideState(v1alpha1.ServerInitializing): {
		v1alpha1.TaskDrainLoadBalancer, v1alpha1.TaskDetachLoadBalancer, v1alpha1.TaskInstallPackages, v1alpha1.TaskVerifyEnvironment,
	},
	v1alpha1.OverrideState(v1alpha1.ServerDeploying): {
		v1alpha1.TaskDrainLoadBalancer,
		v1alpha1.TaskDetachLoadBalancer,
		v1alpha1.TaskDeployCode,
		v1alpha1.TaskCheckHealth,
	},
	v1alpha1.OverrideState(v1alpha1.ServerReady): {v1alpha1.TaskAttachMonitor, v1alpha1.TaskAttachLoadBalancer},
}
