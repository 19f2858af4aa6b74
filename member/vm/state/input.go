package state

import (
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
)

// Input is everything a decision needs.
type Input struct {
	// Server as it is stored: its status holds the facts, and the operation under way.
	Server *v1alpha1.Server
	// Environment is the hash the machine's environment should have; status.environmentHash is what was found.
	Environment string
	// Approvals of the server's set, beside its own.
	Approvals []gatev1alpha1.Approval
	// Answers of the webhooks of the server's gates.
	Answers []gatev1alpha1.Approval
	// SetDeleted says that the set is being deleted, or gone, and Removal what then becomes of the machine.
	SetDeleted bool
	Removal    v1alpha1.RemovalPolicy
	// Blind says that the prober does not trust what it sees: nobody is taken out of service for it.
	Blind bool
	// Distrusted says that the machine does not answer, and that so many others do not either that the fault is likely elsewhere: nobody
	// becomes due for failover for it.
	Distrusted bool
	// UnknownTimeout after which a server that cannot be reached is due for failover.
	UnknownTimeout time.Duration
	// Watched is since when this process itself finds the server Unknown, by its own clock: who stamped the operation may have had another,
	// which was behind. Zero: it does not know better than the stamp.
	Watched time.Time
	Now     time.Time
}

// Output is the decided part of the status. The facts are not among it.
type Output struct {
	// Row of the table that decided.
	Row              string
	Phase            v1alpha1.ServerPhase
	DecidedBy        v1alpha1.DecidedBy
	Operation        *v1alpha1.Operation
	Tasks            []v1alpha1.Task
	OverrideApplied  *metav1.Time
	PendingApprovals []gatev1alpha1.PendingApproval
	// Conditions of the types AwaitingApproval, FailoverDue and Paused; OfTasks has Ready and TaskBlocked, others are facts.
	Conditions []metav1.Condition
	// Outside says which of its pools a server is not in, for people; empty: it is in all that are on record.
	Outside string
	// Wake is when time alone changes something; zero: never.
	Wake time.Time
}

// facts are what the rows ask about.
type facts struct {
	Input
	spec     *v1alpha1.ServerSpec
	status   *v1alpha1.ServerStatus
	override *v1alpha1.Override
	// applied is the time of an override of mode Once that was carried out.
	applied *metav1.Time
	phase   v1alpha1.ServerPhase
}

func read(in Input) facts {
	f := facts{
		Input:   in,
		spec:    &in.Server.Spec,
		status:  &in.Server.Status,
		phase:   in.Server.Status.Phase,
		applied: in.Server.Status.OverrideApplied,
	}
	o := f.spec.Override
	switch {
	case o == nil || o.At == nil || o.By == "": // nobody's: admission stamps what a person decides
	case o.ExpiresAt != nil && !f.Now.Before(o.ExpiresAt.Time):
	case o.Mode == v1alpha1.OverrideOnce && o.At.Equal(f.applied):
	case o.Mode == v1alpha1.OverrideOnce && f.done(overrideKind(o), overrideTarget(o)):
		f.applied = o.At
	default:
		f.override = o
	}
	return f
}

func (f facts) condition(kind string) metav1.ConditionStatus {
	if c := apimeta.FindStatusCondition(f.status.Conditions, kind); c != nil {
		return c.Status
	}
	return metav1.ConditionUnknown
}

func (f facts) machine() v1alpha1.MachineState {
	if f.status.Machine == nil {
		return v1alpha1.MachineAbsent
	}
	return f.status.Machine.State
}

// made says whether there is, or was, a machine.
func (f facts) made() bool {
	return f.machine() != v1alpha1.MachineAbsent && f.machine() != v1alpha1.MachineCreating
}

func (f facts) boot() string {
	if f.status.Machine == nil {
		return ""
	}
	return f.status.Machine.BootID
}

// back says that a machine that could not be reached can be: it answers, or it runs and there is nothing to ask it by.
func (f facts) back() bool {
	c := apimeta.FindStatusCondition(f.status.Conditions, v1alpha1.ConditionReachable)
	return c != nil && (c.Status == metav1.ConditionTrue || c.Reason == v1alpha1.ReasonNothingToAsk)
}

// unreachable is what the driver surely knows, or what the prober saw: the latter takes nobody out while it is blind.
func (f facts) unreachable() bool {
	if m := f.machine(); m == v1alpha1.MachineGone || m == v1alpha1.MachineStopped {
		return true
	}
	if f.phase == v1alpha1.ServerUnknown {
		return !f.back()
	}
	return f.made() && f.condition(v1alpha1.ConditionReachable) == metav1.ConditionFalse && !f.Blind
}

func (f facts) unhealthy() bool {
	if f.spec.HealthCheck == nil || f.condition(v1alpha1.ConditionHealthy) != metav1.ConditionFalse {
		return false
	}
	return !f.Blind || f.phase != v1alpha1.ServerReady
}

// notHealthyYet: who was out of service, for whatever reason, comes back once it passed its health check, and not while nobody knows. Who
// is being deleted is asked no more, and goes on serving where it waits for a person.
func (f facts) notHealthyYet() bool {
	asked := f.spec.HealthCheck != nil && f.Server.DeletionTimestamp == nil
	return asked && f.phase != v1alpha1.ServerReady && f.condition(v1alpha1.ConditionHealthy) == metav1.ConditionUnknown
}

func (f facts) releaseDiffers() bool {
	return !code.Same(f.status.Release, *f.spec.Release)
}

// is says whether the operation on record is this one.
func (f facts) is(kind v1alpha1.OperationKind, target string) bool {
	op := f.status.Operation
	return op != nil && op.Kind == kind && op.Target == target
}

func (f facts) underWay(kind v1alpha1.OperationKind, target string) bool {
	return f.is(kind, target) && !finished(f.status.Tasks)
}

func (f facts) done(kind v1alpha1.OperationKind, target string) bool {
	return f.is(kind, target) && finished(f.status.Tasks)
}

// finished operations ran to their end; one that a person rejected did not.
func finished(tasks []v1alpha1.Task) bool {
	return !putAside(tasks) && !slices.ContainsFunc(tasks, func(t v1alpha1.Task) bool {
		return t.State != v1alpha1.TaskSucceeded && t.State != v1alpha1.TaskSkipped
	})
}

// removing says that its machine was asked to be removed already, before the set was deleted.
func (f facts) removing() bool {
	return f.is(v1alpha1.OperationOffline, deleted) && slices.ContainsFunc(f.status.Tasks, func(t v1alpha1.Task) bool {
		return t.Type == v1alpha1.TaskDeleteMachine && (t.Attempts > 0 || t.State == v1alpha1.TaskRunning || t.State == v1alpha1.TaskSucceeded)
	})
}

// asked says that a machine was asked for, or is there.
func (f facts) asked() bool { return f.status.Creation != nil || f.machine() != v1alpha1.MachineAbsent }

// failed is the task that failed for good, if one did.
func failed(tasks []v1alpha1.Task) *v1alpha1.Task {
	for i := range tasks {
		if tasks[i].State == v1alpha1.TaskFailed {
			return &tasks[i]
		}
	}
	return nil
}

// releaseTarget is the hash of a release: all of it, for another artifact of one version is another release.
func releaseTarget(release *v1alpha1.Release) string { return "release:" + code.Hash(*release) }

func overrideTarget(o *v1alpha1.Override) string {
	return "override:" + o.At.UTC().Format(time.RFC3339)
}

func overrideKind(o *v1alpha1.Override) v1alpha1.OperationKind {
	switch v1alpha1.ServerPhase(o.State) {
	case v1alpha1.ServerOffline:
		return v1alpha1.OperationOffline
	case v1alpha1.ServerDeploying:
		return v1alpha1.OperationCode
	case v1alpha1.ServerReady:
		return v1alpha1.OperationOnline
	}
	return v1alpha1.OperationEnvironment
}
