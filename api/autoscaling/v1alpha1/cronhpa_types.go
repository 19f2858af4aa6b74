package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CronHPA scales one object of the control plane on a timetable. Karmada's scheduler divides the replicas over the
// members: no timetable runs in a member.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=cronhpas,scope=Namespaced,shortName=chpa,categories=argosy
// +kubebuilder:printcolumn:name=Kind,type=string,JSONPath=`.spec.scaleTargetRef.kind`
// +kubebuilder:printcolumn:name=Target,type=string,JSONPath=`.spec.scaleTargetRef.name`
// +kubebuilder:printcolumn:name=Rule in force,type=string,JSONPath=`.status.ruleInForce`
// +kubebuilder:printcolumn:name=Last result,type=string,JSONPath=`.status.lastResult`
// +kubebuilder:printcolumn:name=Next run,type=string,JSONPath=`.status.nextRunTime`
// +kubebuilder:printcolumn:name=Ready,type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name=Message,type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type CronHPA struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is the timetable.
	// +required
	Spec CronHPASpec `json:"spec"`

	// Status is all the controller knows: a new leader goes on from here and from nothing else.
	// +optional
	Status CronHPAStatus `json:"status,omitempty"`
}

// CronHPASpec says what is scaled and when.
//
// +kubebuilder:validation:XValidation:rule="!(self.scaleTargetRef.kind in ['FedHPA','HorizontalPodAutoscaler','FederatedHPA']) || self.rules.all(r, !has(r.targetReplicas))",message="spec.rules: the target is an autoscaler, which owns the replicas: set targetMinReplicas and/or targetMaxReplicas instead of targetReplicas"
// +kubebuilder:validation:XValidation:rule="self.scaleTargetRef.kind in ['FedHPA','HorizontalPodAutoscaler','FederatedHPA'] || self.rules.all(r, has(r.targetReplicas))",message="spec.rules: the target is a workload: set targetReplicas; targetMinReplicas and targetMaxReplicas are for FedHPA and HorizontalPodAutoscaler targets"
type CronHPASpec struct {
	// ScaleTargetRef names what is scaled, in this namespace of the control plane: any kind with a scale subresource
	// (rules set targetReplicas), or a FedHPA, a HorizontalPodAutoscaler or Karmada's FederatedHPA (rules set bounds).
	// It cannot be changed: another target is another CronHPA.
	// +required
	// +kubebuilder:validation:XValidation:rule="has(self.apiVersion) && self.apiVersion != ''",message="spec.scaleTargetRef.apiVersion is required, for example apps.kruise.io/v1alpha1"
	// +kubebuilder:validation:XValidation:rule="self.kind != '' && self.name != ''",message="spec.scaleTargetRef.kind and spec.scaleTargetRef.name must not be empty"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.scaleTargetRef cannot be changed: delete this CronHPA and create one for the other target"
	ScaleTargetRef autoscalingv2.CrossVersionObjectReference `json:"scaleTargetRef"`

	// Rules is the timetable. Of rules due at the same instant the one listed last wins, as if all had run in the
	// order of the list; an event tells. Of those that the end of the spring gap brings together, the one later on the wall
	// clock wins.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Rules []CronHPARule `json:"rules"`

	// Suspend stops all rules. Firings that come due meanwhile are skipped for good.
	// +optional
	// +kubebuilder:default=false
	Suspend bool `json:"suspend,omitempty"`

	// ApplyAtStart says what a CronHPA that is created does at once. None waits for the first firing. InForce applies the rule that
	// would be in force now had the CronHPA always existed: of the last year's firings the latest, rules with runOnce left out. A rule
	// that is edited, resumed or added later waits for its next firing.
	// +optional
	// +kubebuilder:default=None
	ApplyAtStart CronHPAStart `json:"applyAtStart,omitempty"`

	// SuccessfulHistoryLimit is how many applied firings each rule keeps in its history.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=20
	SuccessfulHistoryLimit *int32 `json:"successfulHistoryLimit,omitempty"`

	// FailedHistoryLimit is how many failed or missed firings each rule keeps in its history.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=20
	FailedHistoryLimit *int32 `json:"failedHistoryLimit,omitempty"`
}

// CronHPAStart is what a CronHPA does when it is created.
// +kubebuilder:validation:Enum=None;InForce
type CronHPAStart string

const (
	// CronHPAStartNone waits for the first firing.
	CronHPAStartNone CronHPAStart = "None"
	// CronHPAStartInForce applies the rule whose time it is.
	CronHPAStartInForce CronHPAStart = "InForce"
)

// CronHPARule is one line of the timetable.
//
// +kubebuilder:validation:XValidation:rule="has(self.targetReplicas) != (has(self.targetMinReplicas) || has(self.targetMaxReplicas))",message="a rule sets either targetReplicas, or targetMinReplicas and/or targetMaxReplicas"
// +kubebuilder:validation:XValidation:rule="!has(self.targetMinReplicas) || !has(self.targetMaxReplicas) || self.targetMinReplicas <= self.targetMaxReplicas",message="targetMinReplicas must not be above targetMaxReplicas"
type CronHPARule struct {
	// Name identifies the rule in status, events and history. A renamed rule is a new rule.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// Schedule is a cron expression of five fields (minute, hour, day of month, month, day of week), or one of
	// @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Schedule string `json:"schedule"`

	// TimeZone is an IANA name such as Asia/Shanghai. The zone of the controller's process never matters.
	// A time that the zone skips in spring runs at the end of the gap; a time that comes twice in autumn runs once.
	// +optional
	// +kubebuilder:default=UTC
	// +kubebuilder:validation:MaxLength=64
	TimeZone string `json:"timeZone,omitempty"`

	// TargetReplicas is the number of replicas the target is set to. Zero is allowed; Karmada carries a workload of
	// zero replicas to its members only with --enable-empty-workload-propagation, otherwise it removes it there.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TargetReplicas *int32 `json:"targetReplicas,omitempty"`

	// TargetMinReplicas is the lower bound while this rule is in force; unset leaves the autoscaler's own.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TargetMinReplicas *int32 `json:"targetMinReplicas,omitempty"`

	// TargetMaxReplicas is the upper bound while this rule is in force; unset leaves the autoscaler's own.
	// +optional
	// +kubebuilder:validation:Minimum=1
	TargetMaxReplicas *int32 `json:"targetMaxReplicas,omitempty"`

	// Suspend stops this rule. Firings that come due meanwhile are skipped for good.
	// +optional
	// +kubebuilder:default=false
	Suspend bool `json:"suspend,omitempty"`

	// StartingDeadlineSeconds is how late a firing may still be applied, for example after the controllers were down.
	// A later one is recorded as missed. Unset: the latest due firing is applied however late it is.
	// +optional
	// +kubebuilder:validation:Minimum=10
	StartingDeadlineSeconds *int32 `json:"startingDeadlineSeconds,omitempty"`

	// RunOnce makes the first firing that comes due the rule's last, applied or missed. Another schedule or time zone
	// makes it a new order, and so does another name.
	// +optional
	// +kubebuilder:default=false
	RunOnce bool `json:"runOnce,omitempty"`

	// ExcludeDates are days, in the rule's time zone, on which it does not fire: 2026-12-25 for one day, 12-25 for
	// that day of every year.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:Pattern=`^([0-9]{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`
	// +kubebuilder:validation:items:MaxLength=10
	ExcludeDates []string `json:"excludeDates,omitempty"`

	// ExcludeCalendarRef names a ConfigMap of this namespace with more days on which the rule does not fire, shared by as many
	// CronHPAs as like. It bears the label cronhpa.argosy.dev/calendar=true. Each line of its data is a day as in excludeDates,
	// followed by words or not; empty lines and those that begin with # are skipped. While it cannot be read the rule stands still,
	// and SpecValid is False.
	// +optional
	ExcludeCalendarRef *CalendarReference `json:"excludeCalendarRef,omitempty"`
}

// CalendarReference names a ConfigMap that holds days.
type CalendarReference struct {
	// Name of the ConfigMap, in the namespace of the CronHPA.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// CronHPAStatus is written by the controller only.
type CronHPAStatus struct {
	// ObservedGeneration is the generation of the spec this status was derived from.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// RuleInForce is the rule that was applied last.
	// +optional
	RuleInForce string `json:"ruleInForce,omitempty"`

	// Bounds are offered to a FedHPA target: its controller reads them here and divides them instead of those of its
	// spec for as long as this object exists. Absent: no rule has fired yet, or the target is no FedHPA.
	// +optional
	Bounds *ReplicaBounds `json:"bounds,omitempty"`

	// OriginalBounds are an HPA target's own. They are put back when no rule is in force any more: the rule was taken out
	// of the spec, or this CronHPA is deleted.
	// +optional
	OriginalBounds *OriginalBounds `json:"originalBounds,omitempty"`

	// NextRunTime is when the next rule fires; absent when none will.
	// +optional
	NextRunTime *metav1.Time `json:"nextRunTime,omitempty"`

	// LastRunTime is the scheduled time of the firing handled last.
	// +optional
	LastRunTime *metav1.Time `json:"lastRunTime,omitempty"`

	// LastResult is the result of the firing handled last.
	// +optional
	LastResult FiringResult `json:"lastResult,omitempty"`

	// Rules is the state of each rule of the spec.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Rules []CronHPARuleStatus `json:"rules,omitempty"`

	// Conditions: Ready, SpecValid, TargetScalable.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ReplicaBounds are the bounds of the rule in force. An unset one is the autoscaler's own.
type ReplicaBounds struct {
	// RuleName is the rule the bounds come from.
	// +required
	RuleName string `json:"ruleName"`

	// MinReplicas replaces spec.minReplicas of the FedHPA.
	// +optional
	MinReplicas *int32 `json:"minReplicas,omitempty"`

	// MaxReplicas replaces spec.maxReplicas of the FedHPA.
	// +optional
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
}

// OriginalBounds remember an HPA's own bounds and what was written over them.
type OriginalBounds struct {
	// UID is the HPA they belong to: one deleted and created again has bounds of its own.
	// +required
	UID string `json:"uid"`

	// MinReplicas is the HPA's own; absent when it had none.
	// +optional
	MinReplicas *int32 `json:"minReplicas,omitempty"`

	// MaxReplicas is the HPA's own.
	// +required
	MaxReplicas int32 `json:"maxReplicas"`

	// Applied is what the rule in force wrote. A bound of the HPA that differs was set by somebody else since: it is then
	// the HPA's own, and comes back when the rule no longer holds.
	// +optional
	Applied *AppliedBounds `json:"applied,omitempty"`

	// AppliedTime is when that was.
	// +optional
	AppliedTime *metav1.Time `json:"appliedTime,omitempty"`

	// Pending is what is about to be written: recorded first, so that a controller that dies right after the write does
	// not take its own bounds for the HPA's.
	// +optional
	Pending *AppliedBounds `json:"pending,omitempty"`
}

// AppliedBounds were written to an HPA.
type AppliedBounds struct {
	// MinReplicas written; absent when none was.
	// +optional
	MinReplicas *int32 `json:"minReplicas,omitempty"`

	// MaxReplicas written.
	// +required
	MaxReplicas int32 `json:"maxReplicas"`
}

// FiringResult is how a firing ended.
// +kubebuilder:validation:Enum=Applied;Failed;Missed;Superseded
type FiringResult string

const (
	// FiringApplied: the target was set.
	FiringApplied FiringResult = "Applied"
	// FiringFailed: the target could not be set yet; it is tried again until the deadline or a later firing.
	FiringFailed FiringResult = "Failed"
	// FiringMissed: nobody handled it before its deadline, or a later firing came due first while nobody was there.
	FiringMissed FiringResult = "Missed"
	// FiringSuperseded: another rule was due at the same instant and comes later in the list.
	FiringSuperseded FiringResult = "Superseded"
)

// CronHPARuleStatus is the state of one rule.
type CronHPARuleStatus struct {
	// Name of the rule.
	// +required
	Name string `json:"name"`

	// Timetable is a hash of what decides when the rule fires. A change starts the rule afresh: firings of the new
	// timetable that lie before the change never come due.
	// +optional
	Timetable string `json:"timetable,omitempty"`

	// HandledUntil: every firing up to this instant is handled. Written together with the result.
	// +optional
	HandledUntil *metav1.Time `json:"handledUntil,omitempty"`

	// NextRunTime is when the rule fires next; absent when it is suspended, finished, or never fires.
	// +optional
	NextRunTime *metav1.Time `json:"nextRunTime,omitempty"`

	// Finished: the rule has runOnce and its one firing is behind it. It stays so until the rule's own schedule or time
	// zone is edited: suspending, resuming and any other edit make nothing fire again.
	// +optional
	Finished bool `json:"finished,omitempty"`

	// FinishedSchedule is a hash of the schedule and time zone the rule finished with.
	// +optional
	FinishedSchedule string `json:"finishedSchedule,omitempty"`

	// History holds the latest firings, newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=40
	History []Firing `json:"history,omitempty"`
}

// Firing is one entry of a rule's history.
type Firing struct {
	// ScheduledTime is when it was due.
	// +required
	ScheduledTime metav1.Time `json:"scheduledTime"`

	// HandledTime is when the controller dealt with it.
	// +required
	HandledTime metav1.Time `json:"handledTime"`

	// Result of the firing.
	// +required
	Result FiringResult `json:"result"`

	// Replicas the target was set to.
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// MinReplicas the autoscaler was given.
	// +optional
	MinReplicas *int32 `json:"minReplicas,omitempty"`

	// MaxReplicas the autoscaler was given.
	// +optional
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`

	// Count is how many firings this entry stands for: missed ones of a long absence share one entry, which bears
	// the time of the latest. Counting stops at 1000.
	// +optional
	Count int32 `json:"count,omitempty"`

	// Message says why, and what to do.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// Condition types of a CronHPA.
const (
	// CronHPAReady sums up the others: True when the next firing is planned and expected to work.
	CronHPAReady = "Ready"
	// CronHPASpecValid: schedules, zones and dates can be read.
	CronHPASpecValid = "SpecValid"
	// CronHPATargetScalable: the target exists and may be scaled by this CronHPA.
	CronHPATargetScalable = "TargetScalable"
)

// Reasons of conditions and events of a CronHPA: one vocabulary for both.
const (
	CronHPAReasonScheduled           = "Scheduled"
	CronHPAReasonSuspended           = "Suspended"
	CronHPAReasonNeverFires          = "NeverFires"
	CronHPAReasonFinished            = "Finished"
	CronHPAReasonSpecAccepted        = "SpecAccepted"
	CronHPAReasonInvalidSpec         = "InvalidSpec"
	CronHPAReasonCalendarUnreadable  = "CalendarUnreadable"
	CronHPAReasonClockBackwards      = "ClockBackwards"
	CronHPAReasonTargetFound         = "TargetFound"
	CronHPAReasonTargetNotFound      = "TargetNotFound"
	CronHPAReasonTargetKindUnknown   = "TargetKindUnknown"
	CronHPAReasonTargetNotScalable   = "TargetNotScalable"
	CronHPAReasonTargetOwned         = "TargetOwnedByAutoscaler"
	CronHPAReasonTargetShared        = "TargetSharedByCronHPAs"
	CronHPAReasonMembersKeepReplicas = "MembersKeepReplicas"
	CronHPAReasonInvalidBounds       = "InvalidBounds"
	CronHPAReasonFiringApplied       = "FiringApplied"
	CronHPAReasonFiringFailed        = "FiringFailed"
	CronHPAReasonFiringMissed        = "FiringMissed"
	CronHPAReasonRulesOverlap        = "RulesOverlap"
	CronHPAReasonScaledToZero        = "ScaledToZero"
	CronHPAReasonBoundsRestored      = "BoundsRestored"
	CronHPAReasonBoundsHeld          = "BoundsHeld"
	CronHPAReasonBoundsRestoreError  = "BoundsNotRestored"
	// CronHPAReasonCutOff: a migration's rollback took the target out of the federation; no rule sets it until it is adopted again.
	CronHPAReasonCutOff = "CutOff"
)

// CronHPACalendarLabel, with the value true, lets CronHPAs read a ConfigMap as a calendar. No other ConfigMap is read.
const CronHPACalendarLabel = "cronhpa.argosy.dev/calendar"

// CronHPARestoreFinalizer keeps a CronHPA with an HPA target until the HPA has its own bounds back.
const CronHPARestoreFinalizer = "cronhpa.argosy.dev/restore-bounds"

// CronHPAList is a list of CronHPA.
//
// +kubebuilder:object:root=true
type CronHPAList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CronHPA `json:"items"`
}
