package decide

import (
	"time"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/split"
)

// World is all that was observed for one FedHPA. A nil pointer is "not there"; what could not be read is said so.
type World struct {
	Now      time.Time
	UID      string
	Name     string
	Deleting bool
	// DeletedAt is when deletion was asked for.
	DeletedAt time.Time
	// Finalizer is set when the FedHPA bears the release finalizer.
	Finalizer  bool
	Generation int64
	Spec       api.FedHPASpec
	Status     api.FedHPAStatus
	Bounds     Bounds
	// Problem is what gather found that no decision can mend: a target without scale, a second autoscaler.
	Problem *Problem
	// UnknownClusters are named in the distribution but are not members of the federation.
	UnknownClusters []string
	Template        *Template
	Binding         *Binding
	// Members are the clusters that matter here, by name: those of the scheduling result, those with an autoscaler of ours,
	// and those the placement would let in.
	Members []Member
}

// Bounds are the limits in force.
type Bounds struct {
	Min, Max int32
	// From names the CronHPA and its rule; empty when they are the spec's own.
	From string
}

// Problem keeps a FedHPA from acting.
type Problem struct{ Reason, Message string }

// Template is the workload in the control plane.
type Template struct {
	Replicas int32
	// Retain is set when it bears Karmada's label that lets members own their replicas; RetainOurs when this FedHPA put it there.
	Retain, RetainOurs bool
	// CutOff: a migration's rollback took the workload out of the federation. It is managed statically in its members.
	CutOff bool
}

// Binding is the scheduling result.
type Binding struct {
	// Settled: the scheduler has seen the present generation.
	Settled bool
	// Claimed: a policy propagates the workload. Without one Karmada leaves the binding as it is, and brings no change of the template
	// anywhere.
	Claimed bool
	// Divided: replicaSchedulingType is Divided.
	Divided bool
	// Suspended: scheduling is suspended by someone.
	Suspended bool
	Replicas  int32
	// Clusters is the scheduling result, Ledger what this FedHPA wrote last (nil: never).
	Clusters, Ledger Counts
	// Evicting are the clusters a graceful eviction is emptying.
	Evicting []string
	// RescheduledAt is when a rebalance was asked for, zero if never; ScheduledAt when the scheduler ran last.
	RescheduledAt, ScheduledAt time.Time
	// Spread bounds how many groups of clusters are used.
	Spread []Spread
	// LettingGo: the label of the template was about to be taken off; CaughtUp: Karmada has made the binding from a template after that;
	// Ahead: from one that is not seen here yet.
	LettingGo, CaughtUp, Ahead bool
}

// Spread bounds the number of groups of one kind: clusters, regions, zones, providers, values of a label. 0 is no bound.
type Spread struct{ MinGroups, MaxGroups int }

// Member is one cluster.
type Member struct {
	Name string
	// Ready is the Cluster's Ready condition; a cluster that is being removed is not ready.
	Ready bool
	// Held: dispatching to it is suspended. It is not written to, whatever its Works' Applied conditions say: they stay True meanwhile.
	Held bool
	// Eligible: the placement lets the workload run here.
	Eligible bool
	// Tier is 0, or that of the overflow the cluster belongs to: used only when all before it are full, and emptied first.
	Tier int
	// Groups the cluster belongs to, one list for each of the binding's Spread.
	Groups   [][]string
	Workload *Workload
	HPA      *Autoscaler
	// Free is how many more replicas fitted beside the FreeAt that ran when the question was asked; nil is unknown. FreeFrom names who said
	// so.
	Free     *int32
	FreeAt   int32
	FreeFrom string
	// Unschedulable is how many replicas wait for room; 0 when nobody knows.
	Unschedulable int32
}

// Workload is the target in one member, as its Work shows it.
type Workload struct {
	// Retained: the Work's manifest bears the retain label. Applied: the member has taken a manifest.
	Retained, Applied bool
	// Sent is the count that the Work's manifest says; nil where it is not known. It is read where no autoscaler of ours has a Work.
	Sent *int32
	// Asked is the count that the member's object asks for, read there now; nil where it was not read, and Unread says what was in the way.
	// It is read at the end of a release, when no autoscaler of ours changes it any more: reports come later than that.
	Asked  *int32
	Unread string
	// Observed: the member has reported on it. Replicas and Ready mean something only then.
	Observed        bool
	Replicas, Ready int32
	// Updated is how many of Replicas are of the newest pod template; nil where the kind does not tell.
	Updated *int32
	Message string
}

// Autoscaler is a member's HPA, as its Work shows it.
type Autoscaler struct {
	// Sent is what the Work's manifest says; SpecCurrent is false when the rest of the manifest is not today's.
	Sent        split.Range
	SpecCurrent bool
	// Owned is false for a Work of the same name that is not this FedHPA's.
	Owned   bool
	Applied bool
	// Message is Karmada's, when it could not apply the manifest. Refused: because the member's API server said no. Otherwise there was no
	// answer, and nobody knows whether the member has the manifest.
	Message string
	Refused bool
	// InForce is what the member's object says, nil while the member has not reported it.
	InForce *split.Range
	// Current and Desired are the HPA's own; Desired 0 before its first tick. Current is the workload's spec.replicas when the HPA last
	// looked.
	Current, Desired int32
	// Fault is why the HPA cannot scale, empty when it can. Judged is false where Karmada does not reflect that.
	Fault  string
	Judged bool
	// Ambiguous: it cannot scale because another HPA of the member selects the same pods. Kubernetes then switches both off.
	Ambiguous bool
	// Lost: it does not find its workload. Current and Desired are those of before.
	Lost     bool
	Deleting bool
	// Withheld: its Work was suspended because the workload was cut off. Confirmed: the execution controller has said so.
	Withheld, Confirmed bool
}

// Plan is what is to be done.
type Plan struct {
	// Actions in order. Each is safe if the ones after it never happen, and those of another group than Ownership if ones of other groups
	// before it did not.
	Actions []Action
	Status  api.FedHPAStatus
	Events  []Event
	// Wake is when to look again without any event; 0 is never.
	Wake time.Duration
	// Overwritten: a scheduling result of somebody else is being put right.
	Overwritten bool
	// Divided is the reason of a division, empty if none was made.
	Divided string

	// before is the status before this plan; refused are the groups whose writes were.
	before  api.FedHPAStatus
	refused []Group
}

// Group is writes that stand or fall together. What one group is refused keeps no other from being written.
type Group string

const (
	// Ownership is who owns the workload's replicas: finalizer, label, ledger. Everything else rests on it.
	Ownership Group = "Ownership"
	// BookKeeping is the scheduling result, then the template.
	BookKeeping Group = "BookKeeping"
	// Limits are the members' autoscalers. Their order is kept by what is in force, so each is a write of its own.
	Limits Group = "Limits"
)

// Group of the write.
func (a Action) Group() Group {
	switch a.Kind {
	case WriteBinding, ScaleTemplate:
		return BookKeeping
	case SendAutoscaler, DeleteAutoscaler, WithholdAutoscaler, AbandonAutoscaler:
		return Limits
	}
	return Ownership
}

// Action is one write.
type Action struct {
	Kind ActionKind
	// Cluster and Range of an autoscaler.
	Cluster string
	Range   split.Range
	// Counts and Total of the books.
	Counts Counts
	Total  int32
}

// ActionKind names a write.
type ActionKind string

// The writes a plan may ask for.
const (
	AddFinalizer    ActionKind = "AddFinalizer"
	RemoveFinalizer ActionKind = "RemoveFinalizer"
	// SetRetain lets members own their replicas, ClearRetain gives them back to Karmada.
	SetRetain   ActionKind = "SetRetain"
	ClearRetain ActionKind = "ClearRetain"
	// WriteBinding puts Counts, their sum and the ledger into the binding in one conditional write.
	WriteBinding ActionKind = "WriteBinding"
	ClearLedger  ActionKind = "ClearLedger"
	// NoteLettingGo notes on the binding which template is the last to bear the label, and ReturnReplicas takes the ledger away and leaves
	// the binding with the template's replicas, Total.
	NoteLettingGo  ActionKind = "NoteLettingGo"
	ReturnReplicas ActionKind = "ReturnReplicas"
	// ScaleTemplate sets the template's replicas to Total. Always after WriteBinding: the other order schedules twice.
	ScaleTemplate    ActionKind = "ScaleTemplate"
	SendAutoscaler   ActionKind = "SendAutoscaler"
	DeleteAutoscaler ActionKind = "DeleteAutoscaler"
	// WithholdAutoscaler suspends a Work, AbandonAutoscaler removes one: either leaves the member's object as it is.
	WithholdAutoscaler ActionKind = "WithholdAutoscaler"
	AbandonAutoscaler  ActionKind = "AbandonAutoscaler"
)

// Event is told to the user.
type Event struct {
	Warning         bool
	Reason, Message string
	// Of is the group of writes without which it is not true; empty for none.
	Of Group
}
