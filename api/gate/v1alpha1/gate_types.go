package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SecretReference names a Secret of this namespace.
type SecretReference struct {
	// name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// GateStage is the step a gate stands before.
// +kubebuilder:validation:Enum=Provision;Environment;Code;Online;Offline;Failover
type GateStage string

const (
	// StageProvision stands before a machine is made.
	StageProvision GateStage = "Provision"
	// StageEnvironment stands before packages of a running server change.
	StageEnvironment GateStage = "Environment"
	// StageCode stands before code is deployed.
	StageCode GateStage = "Code"
	// StageOnline stands before a server takes traffic.
	StageOnline GateStage = "Online"
	// StageOffline stands before a server is taken out for good.
	StageOffline GateStage = "Offline"
	// StageFailover stands before an unreachable server is given up.
	StageFailover GateStage = "Failover"
)

// GateMode says who opens a gate.
// +kubebuilder:validation:Enum=Manual;Webhook
type GateMode string

const (
	// GateManual is opened by an approval in the spec.
	GateManual GateMode = "Manual"
	// GateWebhook is opened by the answer of a webhook.
	GateWebhook GateMode = "Webhook"
)

// GateWebhookCall is the call that opens a gate of mode Webhook.
type GateWebhookCall struct {
	// url of the webhook; HTTPS only.
	// +kubebuilder:validation:Pattern=`^https://`
	// +kubebuilder:validation:MaxLength=2048
	// +required
	URL string `json:"url"`

	// caSecretRef names the Secret whose ca.crt verifies the webhook; the system's roots do when it is absent.
	// +optional
	CASecretRef *SecretReference `json:"caSecretRef,omitempty"`

	// timeoutSeconds of one call. A call that fails leaves the gate shut.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=30
	// +kubebuilder:default=10
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
}

// Names of gates that the system itself puts up; no gate in a spec may have one.
const (
	// GateBatch stands between two batches of a release.
	GateBatch = "batch"
	// GateCanary stands after a step of a Component's canary.
	GateCanary = "canary"
	// GateRemoval stands before the machines of a deleted set go.
	GateRemoval = "removal"
)

// Gate stops every server before one stage until it is opened.
// +kubebuilder:validation:XValidation:rule="!(self.name in ['batch', 'removal'])",message="batch and removal are gates of the system's own: choose another name"
// +kubebuilder:validation:XValidation:rule="(self.mode == 'Webhook') == has(self.webhook)",message="webhook is set exactly when mode is Webhook"
type Gate struct {
	// name of the gate, by which approvals speak of it.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// stage the gate stands before.
	// +required
	Stage GateStage `json:"stage"`

	// mode says who opens it: a person's approval, or a webhook.
	// +kubebuilder:default=Manual
	// +optional
	Mode GateMode `json:"mode,omitempty"`

	// webhook is called with mode Webhook.
	// +optional
	Webhook *GateWebhookCall `json:"webhook,omitempty"`

	// notifyRef names the Secret that says whom to tell when the gate begins to wait: its key url is posted to, with the bearer token of
	// its key token and the authority of its key ca.crt where it has them. It follows to the members.
	// +optional
	NotifyRef *SecretReference `json:"notifyRef,omitempty"`
}

// ApprovalDecision is what a person said.
// +kubebuilder:validation:Enum=Approve;Reject
type ApprovalDecision string

const (
	// Approve opens the gate for the operation.
	Approve ApprovalDecision = "Approve"
	// Reject keeps it shut; the operation is given up.
	Reject ApprovalDecision = "Reject"
)

// Approval is a person's decision at one gate. It counts once, for one operation.
// +kubebuilder:validation:XValidation:rule="self.decision != 'Reject' || (has(self.reason) && size(self.reason) > 0)",message="a rejection needs a reason"
type Approval struct {
	// gate the decision is about.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	// +required
	Gate string `json:"gate"`

	// operationID is the waiting operation, as status.pendingApprovals shows it. It is unique in the federation,
	// so that one decision never opens the same gate of another server or of a later operation.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	OperationID string `json:"operationID"`

	// decision of the person.
	// +required
	Decision ApprovalDecision `json:"decision"`

	// reason for it, for those who read it later. A rejection needs one.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Reason string `json:"reason,omitempty"`

	// by is who decided; the admission webhook writes it and refuses another's name. An approval without it opens nothing.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	By string `json:"by,omitempty"`

	// at is when; the admission webhook writes it.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
}

// PendingApproval is an operation that waits at a gate.
type PendingApproval struct {
	// gate it waits at.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Gate string `json:"gate"`

	// operationID to name in the approval.
	// +kubebuilder:validation:MaxLength=63
	// +required
	OperationID string `json:"operationID"`

	// server the operation is about.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Server string `json:"server,omitempty"`

	// cluster the server runs in. Set in the control plane only: a member does not know its own name.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Cluster string `json:"cluster,omitempty"`

	// since when it waits.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// summary is what a person needs to decide: what changes, how many serve now, how their health is.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Summary string `json:"summary,omitempty"`
}

// MaxPendingApprovals bounds status.pendingApprovals. A union beyond it is cut, and the condition AwaitingApproval says how many are not
// shown; the alternative is an apiserver that refuses the whole status.
const MaxPendingApprovals = 256
