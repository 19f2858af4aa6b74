package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TaskType is a step of work on a server.
// +kubebuilder:validation:Enum=CreateMachine;DeleteMachine;RecordLoadBalancer;AttachLoadBalancer;DetachLoadBalancer;DrainLoadBalancer;InstallPackages;VerifyEnvironment;DeployCode;CheckHealth;AttachMonitor;PauseMonitor;Notify;Probe;FenceMachine;RestartService
type TaskType string

// The tasks, in about the order of a server's life.
const (
	TaskCreateMachine      TaskType = "CreateMachine"
	TaskRecordLoadBalancer TaskType = "RecordLoadBalancer"
	TaskInstallPackages    TaskType = "InstallPackages"
	TaskVerifyEnvironment  TaskType = "VerifyEnvironment"
	TaskDeployCode         TaskType = "DeployCode"
	TaskCheckHealth        TaskType = "CheckHealth"
	TaskAttachMonitor      TaskType = "AttachMonitor"
	TaskAttachLoadBalancer TaskType = "AttachLoadBalancer"
	TaskProbe              TaskType = "Probe"
	TaskNotify             TaskType = "Notify"
	TaskDetachLoadBalancer TaskType = "DetachLoadBalancer"
	TaskPauseMonitor       TaskType = "PauseMonitor"
	TaskDeleteMachine      TaskType = "DeleteMachine"
	TaskDrainLoadBalancer  TaskType = "DrainLoadBalancer"
	TaskFenceMachine       TaskType = "FenceMachine"
	TaskRestartService     TaskType = "RestartService"
)

// TaskState is how far a task is.
// +kubebuilder:validation:Enum=Pending;AwaitingApproval;Running;Succeeded;Failed;Skipped
type TaskState string

const (
	// TaskPending has not begun.
	TaskPending TaskState = "Pending"
	// TaskAwaitingApproval stands at a gate.
	TaskAwaitingApproval TaskState = "AwaitingApproval"
	// TaskRunning is under way.
	TaskRunning TaskState = "Running"
	// TaskSucceeded is done.
	TaskSucceeded TaskState = "Succeeded"
	// TaskFailed failed for good.
	TaskFailed TaskState = "Failed"
	// TaskSkipped was skipped by a person.
	TaskSkipped TaskState = "Skipped"
)

// Task is one step of work on the server.
type Task struct {
	// id of the task, unique in the list.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	ID string `json:"id"`

	// type of work.
	// +required
	Type TaskType `json:"type"`

	// state the task is in.
	// +required
	State TaskState `json:"state"`

	// gate the task stands at.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Gate string `json:"gate,omitempty"`

	// operationID to name in the approval that opens the gate.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	OperationID string `json:"operationID,omitempty"`

	// attempts made so far.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Attempts int32 `json:"attempts,omitempty"`

	// startedAt is when the last attempt began.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// finishedAt is when the task ended.
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`

	// message for a person, of the last attempt.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// Lock keeps two controllers from working on one machine at a time.
type Lock struct {
	// holder of the lock.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Holder string `json:"holder"`

	// operationID the lock is held for.
	// +kubebuilder:validation:MaxLength=63
	// +required
	OperationID string `json:"operationID"`

	// sequence rises with every change of holder. The machine itself refuses work of a lower one, so that a holder that was only
	// paused does not act after another took over.
	// +kubebuilder:validation:Minimum=1
	// +required
	Sequence int64 `json:"sequence"`

	// renewTime is when the holder last said that it is at work, by its own clock. Nobody compares it with another clock: a lock is
	// expired when it did not change for leaseSeconds of the observer's own time.
	// +required
	RenewTime metav1.MicroTime `json:"renewTime"`

	// leaseSeconds without a renewal free the lock.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	// +required
	LeaseSeconds int32 `json:"leaseSeconds"`
}

// OperationKind is what a sequence of tasks is for.
// +kubebuilder:validation:Enum=Provision;Environment;Code;Online;Offline;Failover
type OperationKind string

// The operations; a gate's stage of the same name stands before each.
const (
	OperationProvision   OperationKind = "Provision"
	OperationEnvironment OperationKind = "Environment"
	OperationCode        OperationKind = "Code"
	OperationOnline      OperationKind = "Online"
	OperationOffline     OperationKind = "Offline"
	OperationFailover    OperationKind = "Failover"
)

// Operation is the work under way on a server.
type Operation struct {
	// sequence rises with every operation of the server.
	// +kubebuilder:validation:Minimum=1
	// +required
	Sequence int64 `json:"sequence"`

	// id is what approvals name, unique in the federation.
	// +kubebuilder:validation:MaxLength=63
	// +required
	ID string `json:"id"`

	// kind of work.
	// +required
	Kind OperationKind `json:"kind"`

	// target is the hash of what the operation brings about; another target is another operation.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Target string `json:"target,omitempty"`

	// startedAt is when it began.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
}
