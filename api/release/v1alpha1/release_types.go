package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// TargetReference names the application's main object, in the Release's own namespace.
type TargetReference struct {
	// apiVersion such as apps/v1 or apps.kruise.io/v1alpha1.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion"`
	// kind such as Deployment or CloneSet.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// WithReference names an object that goes out together with the target, in the Release's own namespace.
type WithReference struct {
	// apiVersion of the object.
	// +kubebuilder:validation:Enum=v1
	APIVersion string `json:"apiVersion"`
	// kind of the object. Secrets are not held: name them by their content, and let the target name the new one.
	// +kubebuilder:validation:Enum=ConfigMap
	Kind string `json:"kind"`
	// name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// Overrides says what becomes of a changed OverridePolicy or ClusterOverridePolicy.
// +kubebuilder:validation:Enum=Pass;Hold
type Overrides string

const (
	// OverridesPass lets it act at once, in held clusters too.
	OverridesPass Overrides = "Pass"
	// OverridesHold makes it a revision of its own, which is held as a changed template is.
	OverridesHold Overrides = "Hold"
)

// ClusterSelection of a stage: those named, and those whose labels match.
type ClusterSelection struct {
	// names of member clusters.
	// +listType=set
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=253
	// +optional
	Names []string `json:"names,omitempty"`
	// selector of Cluster labels.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// Gates hold the next stage back when everything of this one is updated and well.
type Gates struct {
	// soakSeconds everything must stay well.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	// +optional
	SoakSeconds int32 `json:"soakSeconds,omitempty"`
	// approvals by different people.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	// +optional
	Approvals int32 `json:"approvals,omitempty"`
	// prometheus queries that must be at zero from when everything is updated and well until the next stage opens: another value begins the
	// soak anew. Each names its secretName: only a Prometheus that is set up for gates is asked.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:XValidation:rule="self.all(p, has(p.secretName))",message="a query of a Release needs secretName: only a Prometheus that is set up for gates is asked"
	// +optional
	Prometheus []gatev1alpha1.PrometheusGate `json:"prometheus,omitempty"`
	// checks that must have passed, by name: somebody outside, such as a pipeline, says so in spec.checks.
	// +listType=set
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$`
	// +kubebuilder:validation:items:MaxLength=63
	// +optional
	Checks []string `json:"checks,omitempty"`
}

// CheckResult is how a check ended.
// +kubebuilder:validation:Enum=Passed;Failed
type CheckResult string

const (
	// CheckPassed lets the release go on.
	CheckPassed CheckResult = "Passed"
	// CheckFailed is a failure of the revision.
	CheckFailed CheckResult = "Failed"
)

// Check is what somebody outside found of a stage of a revision.
type Check struct {
	// revision that was checked.
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision"`
	// stage that was checked.
	// +kubebuilder:validation:MaxLength=63
	Stage string `json:"stage"`
	// name of the check.
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// result of the check; of two with one name the later in the list counts.
	Result CheckResult `json:"result"`
	// message for people.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Message string `json:"message,omitempty"`
	// user who says so: the one who writes it, as karmada-apiserver knows them.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user"`
	// time of the check.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
}

// Stage of a release. One without clusters and without updated opens everything.
type Stage struct {
	// name of the stage.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// clusters that are opened: as a whole, or, with updated, the only ones that number is taken from.
	// +optional
	Clusters *ClusterSelection `json:"clusters,omitempty"`
	// updated replicas of the whole federation when this stage is done, those of earlier stages counted: a number, or a percentage of
	// all, rounded up. Only for kinds with a partition: CloneSet and Advanced StatefulSet.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern=`^([1-9]|[1-9][0-9]|100)%$`
	// +kubebuilder:validation:XValidation:rule="type(self) != int || self >= 1",message="updated is a number from 1 on, or a percentage from 1% to 100%"
	// +optional
	Updated *intstr.IntOrString `json:"updated,omitempty"`
	// gates to the next stage.
	// +optional
	Gates Gates `json:"gates,omitempty"`
}

// OnFailure says what becomes of a revision whose stage does not get done in time.
// +kubebuilder:validation:Enum=Pause;Rollback
type OnFailure string

const (
	// OnFailurePause leaves everything where it is, for people to decide.
	OnFailurePause OnFailure = "Pause"
	// OnFailureRollback rejects the revision.
	OnFailureRollback OnFailure = "Rollback"
)

// Mode runs or pauses a release.
// +kubebuilder:validation:Enum=Run;Pause
type Mode string

const (
	// ModeRun lets stages open.
	ModeRun Mode = "Run"
	// ModePause opens nothing further. What is open stays so, and a rejection acts at once.
	ModePause Mode = "Pause"
)

// Unreachable says whether a stage waits for clusters Karmada does not reach.
// +kubebuilder:validation:Enum=Wait;Skip
type Unreachable string

const (
	// UnreachableWait stalls the stage.
	UnreachableWait Unreachable = "Wait"
	// UnreachableSkip lets the stage be done without them; they follow when they are back.
	UnreachableSkip Unreachable = "Skip"
)

// Approval of a stage of a revision.
type Approval struct {
	// revision that is approved.
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision"`
	// stage after which the release may go on.
	// +kubebuilder:validation:MaxLength=63
	Stage string `json:"stage"`
	// user who approves: the one who writes it, as karmada-apiserver knows them.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user"`
	// time of the approval.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
}

// ReleaseSpec says how changes of one application reach its clusters, and what people decided about them.
// +kubebuilder:validation:XValidation:rule="self.stages.all(s, !has(s.updated)) || self.targetRef.kind == 'CloneSet' || (self.targetRef.kind == 'StatefulSet' && self.targetRef.apiVersion.startsWith('apps.kruise.io/'))",message="stages.updated needs a kind with a partition: CloneSet, or StatefulSet of apps.kruise.io; give clusters instead"
// +kubebuilder:validation:XValidation:rule="!has(self.stages[size(self.stages)-1].clusters) && !has(self.stages[size(self.stages)-1].updated)",message="the last stage opens everything: give it neither clusters nor updated"
// +kubebuilder:validation:XValidation:rule="self.stages.filter(s, !has(s.clusters) && !has(s.updated)).size() == 1",message="only the last stage may be without clusters and updated"
// +kubebuilder:validation:XValidation:rule="has(self.with) == has(oldSelf.with) && (!has(self.with) || self.with == oldSelf.with)",message="spec.with is for good: delete the Release when it is complete, and make it anew with other objects"
// +kubebuilder:validation:XValidation:rule="has(self.overrides) == has(oldSelf.overrides) && (!has(self.overrides) || self.overrides == oldSelf.overrides)",message="spec.overrides is for good: delete the Release when it is complete, and make it anew"
type ReleaseSpec struct {
	// targetRef is the application's main object.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Release belongs to one object for good"
	TargetRef TargetReference `json:"targetRef"`
	// with the target these go out: a change of one is a revision of the application, held and opened with it. A cluster that is opened gets
	// them first.
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=5
	// +optional
	With []WithReference `json:"with,omitempty"`
	// overrides that change while nothing else does: Pass lets them act at once, Hold holds them as a change of the template.
	// +kubebuilder:default=Pass
	// +optional
	Overrides Overrides `json:"overrides,omitempty"`
	// stages in their order. The last opens everything.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	Stages []Stage `json:"stages"`
	// onFailure of a stage that does not get done in time.
	// +kubebuilder:default=Pause
	// +optional
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// progressDeadlineSeconds a stage may take until all of it is updated and well.
	// +kubebuilder:default=900
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=604800
	// +optional
	ProgressDeadlineSeconds int32 `json:"progressDeadlineSeconds,omitempty"`
	// mode Pause opens nothing further.
	// +kubebuilder:default=Run
	// +optional
	Mode Mode `json:"mode,omitempty"`
	// unreachable clusters of a stage.
	// +kubebuilder:default=Wait
	// +optional
	Unreachable Unreachable `json:"unreachable,omitempty"`
	// approvals of stages, each by the one who writes it.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	// +optional
	Approvals []Approval `json:"approvals,omitempty"`
	// rejected revisions: every cluster goes back to the stable one. Taken off the list a revision begins at the first stage again.
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=63
	// +optional
	Rejected []string `json:"rejected,omitempty"`
	// attempt is raised to try a revision again that failed and was rolled back (onFailure: Rollback).
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
	// rollbackTo a revision of the history: it becomes the stable one when the stable one is rejected, and every cluster goes back to it.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	RollbackTo string `json:"rollbackTo,omitempty"`
	// checks of stages, each by the one who writes it: programs too.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	// +optional
	Checks []Check `json:"checks,omitempty"`
	// freezeWindows in which no stage opens. A rejection acts at once, and so does a promotion.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	// +optional
	FreezeWindows []gatev1alpha1.FreezeWindow `json:"freezeWindows,omitempty"`
	// promoted revision: it is opened everywhere at once, without the stages that are left.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Promoted string `json:"promoted,omitempty"`
}

// Dispatch is what the admissions of templates and of Works go by.
type Dispatch struct {
	// revision of the template that open and updated are about. A template of another revision is open nowhere.
	Revision string `json:"revision"`
	// stable revision: of clusters that have none of the release.
	Stable string `json:"stable"`
	// open clusters, or "*".
	// +listType=set
	// +optional
	Open []string `json:"open,omitempty"`
	// updated replicas by open cluster; a cluster that is not there is open as a whole.
	// +optional
	Updated map[string]int32 `json:"updated,omitempty"`
	// rejected revisions no cluster keeps.
	// +listType=set
	// +optional
	Rejected []string `json:"rejected,omitempty"`
	// contents of the revision by object (ConfigMap/web), where it names more than the target: what an admission can compare with the one
	// object it sees.
	// +optional
	Contents map[string]string `json:"contents,omitempty"`
	// withOpen are the clusters, or "*", in which the objects of spec.with have the revision: before the target has.
	// +listType=set
	// +optional
	WithOpen []string `json:"withOpen,omitempty"`
	// overrides are Hold where they are those of the revision.
	// +optional
	Overrides Overrides `json:"overrides,omitempty"`
	// asked counts how often Karmada was asked to write Works that are not what they are to be.
	// +optional
	Asked int64 `json:"asked,omitempty"`
}

// ClusterState is what a cluster may have of the revision.
// +kubebuilder:validation:Enum=Held;Part;Open
type ClusterState string

const (
	// ClusterHeld has another revision.
	ClusterHeld ClusterState = "Held"
	// ClusterPart has some replicas of it.
	ClusterPart ClusterState = "Part"
	// ClusterOpen has it.
	ClusterOpen ClusterState = "Open"
)

// ClusterStatus is one cluster of the application.
type ClusterStatus struct {
	// name of the cluster.
	Name string `json:"name"`
	// state the release gives it.
	State ClusterState `json:"state"`
	// replicas assigned.
	// +optional
	Replicas int32 `json:"replicas"`
	// wanted replicas of the release's revision.
	// +optional
	Wanted int32 `json:"wanted"`
	// updated replicas of the release's revision that the member reported, so 0 where all are of another; -1 is unknown.
	// +optional
	Updated int32 `json:"updated"`
	// ready replicas the member reported; -1 is unknown.
	// +optional
	Ready int32 `json:"ready"`
	// revision its Work has.
	// +optional
	Revision string `json:"revision,omitempty"`
	// message says what is waited for; empty when the cluster is as the stage wants it.
	// +optional
	Message string `json:"message,omitempty"`
}

// Revision is a record of the history.
type Revision struct {
	// name of the revision.
	Name string `json:"name"`
	// time it was first seen.
	Time metav1.Time `json:"time"`
	// images of its pod template.
	// +listType=atomic
	// +optional
	Images []string `json:"images,omitempty"`
	// bytes of what is recorded of it: of 4 MiB in all the oldest are forgotten, before there are ten.
	// +optional
	Bytes int64 `json:"bytes,omitempty"`
}

// Failure of a revision that was rolled back by itself.
type Failure struct {
	// revision that failed.
	Revision string `json:"revision"`
	// stage it failed in.
	Stage string `json:"stage"`
	// attempt that failed: a greater spec.attempt tries again.
	Attempt int32 `json:"attempt"`
	// time it was given up.
	Time metav1.Time `json:"time"`
	// message says what was not done.
	Message string `json:"message"`
}

// ReleaseStatus is where the release stands. The controller resumes from it.
type ReleaseStatus struct {
	// observedGeneration is the spec's generation this status answers.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// revision of the template as it is.
	// +optional
	Revision string `json:"revision,omitempty"`
	// dispatch is what reaches the clusters; absent while nothing is held.
	// +optional
	Dispatch *Dispatch `json:"dispatch,omitempty"`
	// stage that is open last; empty before the first, and when nothing is released.
	// +optional
	Stage string `json:"stage,omitempty"`
	// stageTime is when it was opened.
	// +optional
	StageTime *metav1.Time `json:"stageTime,omitempty"`
	// doneTime is since when everything of it is updated and well.
	// +optional
	DoneTime *metav1.Time `json:"doneTime,omitempty"`
	// waitingTime is since when Works have not been what they are to be.
	// +optional
	WaitingTime *metav1.Time `json:"waitingTime,omitempty"`
	// askedTime is when Karmada was last asked to write them: again after as long as it was in vain, ten minutes at most.
	// +optional
	AskedTime *metav1.Time `json:"askedTime,omitempty"`
	// failure of the last revision that was rolled back by itself.
	// +optional
	Failure *Failure `json:"failure,omitempty"`
	// clusters of the application.
	// +listType=map
	// +listMapKey=name
	// +optional
	Clusters []ClusterStatus `json:"clusters,omitempty"`
	// history of revisions, the newest last, at most ten, and no more than 4 MiB beside the stable and the newest.
	// +listType=atomic
	// +optional
	History []Revision `json:"history,omitempty"`
	// overrides is a hash of the override policies that select the application, as they were seen last, where spec.overrides is Pass. Another
	// one is said by an event.
	// +optional
	Overrides string `json:"overrides,omitempty"`
	// stageText is the stage for people: 2/4 half.
	// +optional
	StageText string `json:"stageText,omitempty"`
	// updatedText is updated of all: 3/10.
	// +optional
	UpdatedText string `json:"updatedText,omitempty"`
	// readyText is ready of all: 10/10.
	// +optional
	ReadyText string `json:"readyText,omitempty"`
	// held clusters.
	// +optional
	Held int32 `json:"held"`
	// conditions: Adopted, Complete, Progressing, AwaitingApproval, Stalled, RolledBack.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Release lets changes of one application reach its clusters in stages: held by default, cluster by cluster or by number of replicas,
// with gates between, and back.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=rls,categories=argosy
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.stageText`
// +kubebuilder:printcolumn:name="Updated",type=string,JSONPath=`.status.updatedText`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.readyText`
// +kubebuilder:printcolumn:name="Held",type=integer,JSONPath=`.status.held`
// +kubebuilder:printcolumn:name="Why",type=string,JSONPath=`.status.conditions[?(@.type=="Progressing")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Revision",type=string,priority=1,JSONPath=`.status.revision`
// +kubebuilder:printcolumn:name="Stable",type=string,priority=1,JSONPath=`.status.dispatch.stable`
// +kubebuilder:printcolumn:name="Kind",type=string,priority=1,JSONPath=`.spec.targetRef.kind`
// +kubebuilder:printcolumn:name="Target",type=string,priority=1,JSONPath=`.spec.targetRef.name`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 52",message="the name of a Release has at most 52 characters: its records are named after it"
type Release struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec ReleaseSpec `json:"spec"`
	// +optional
	Status ReleaseStatus `json:"status,omitempty"`
}

// ReleaseList is a list of Release.
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Release `json:"items"`
}
