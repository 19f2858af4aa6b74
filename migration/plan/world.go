package plan

import (
	"time"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// Ref names an object in the application's namespace.
type Ref = v1alpha1.ResourceReference

// World is everything known about one application at one moment.
type World struct {
	Now time.Time
	// Owner is the Migration's name; Namespace the application's.
	Owner     string
	Namespace string
	Spec      v1alpha1.MigrationSpec
	Status    v1alpha1.MigrationStatus
	// Entry of a whitelist; nil when the application is on none.
	Entry *v1alpha1.WhitelistEntry
	// Whitelist that lists it, and its strategy with defaults filled in.
	Whitelist string
	Strategy  Strategy
	Mode      v1alpha1.Mode
	// Conflict names a second whitelist that lists the application too.
	Conflict string
	// Turn says whether the order of environments and batches lets it advance.
	Turn Turn
	// Clusters joined to the federation, and those the entry or the status names, by name.
	Clusters map[string]Cluster
	Control  Control
	// Home is the namespace in the control plane.
	Home Home
	// Neighbours are the other applications of the namespace that have a Migration, as "kind/name".
	Neighbours map[string]Neighbour
}

// Home is a namespace of the control plane. Deleting it would take bindings and Works along, and no template's own
// protection would stop that.
type Home struct {
	// Protected from deletion, by whomever; Ours when it was us.
	Protected bool
	Ours      bool
	// Version as it was read.
	Version string
}

// Strategy is the whitelist's, with defaults filled in.
type Strategy struct {
	Soak           time.Duration
	StepTimeout    time.Duration
	Approvals      int
	MaxUnavailable func(replicas int32) int32
	Freeze         []gatev1alpha1.FreezeWindow
	OnFailure      v1alpha1.OnFailure
	// Prometheus is asked by whoever gathers the world; nil when there is no such gate.
	Prometheus *gatev1alpha1.PrometheusGate
	// Terms are what people consent to beside the plan's changes: soak, gates, freeze windows and the number of approvals.
	Terms v1alpha1.MigrationStrategy
}

// Cluster is a member as it was found.
type Cluster struct {
	Joined bool
	// Leaving is true while a joined cluster is being unjoined.
	Leaving bool
	// Ready is Karmada's own opinion; a cluster that is not would be left out by its scheduler.
	Ready bool
	// ReadySince is when that opinion last changed.
	ReadySince time.Time
	// Pull is true where an agent of the cluster's own carries Works out, not karmada-controller-manager.
	Pull bool
	// Unreachable says why nothing below is known; empty when it was read.
	Unreachable string
	// Kinds the member serves, as Karmada sees them: "apps/v1/Deployment".
	Kinds map[string]bool
	// Objects of the application's namespace.
	Objects []*unstructured.Unstructured
	// Pods of the workload.
	Pods []Pod
	// Works of the application's objects for this cluster.
	Works map[Ref]Work
	// Scalers are Works of autoscalers that scale the workload and are none of the application's objects, by the autoscaler: FedHPA's, or ones
	// propagated by hand.
	Scalers map[string]Work
	// DryRuns of those Works into this cluster; only while the application is being prepared or opened.
	DryRuns map[Ref]DryRun
	// Unwell is what the Prometheus gate answered; empty when it is content or not set.
	Unwell string
}

// Pod of the workload.
type Pod struct {
	Name     string
	UID      string
	Restarts int32
	Ready    bool
	// Revision that its controller marked it with; empty when it marks none.
	Revision string
}

// Work is one object on its way to one cluster.
type Work struct {
	Suspended bool
	Preserve  bool
	Deleting  bool
	// Dispatching is the condition its execution controller writes: in pull mode that is the agent, so
	// False proves that the agent itself saw the suspension.
	Dispatching metav1.ConditionStatus
	// DispatchingSince is when that condition last changed.
	DispatchingSince time.Time
	// Refused is what Karmada says of a write that did not reach the member; empty when it did.
	Refused  string
	Manifest *unstructured.Unstructured
}

// silent Works are not dispatched: suspended, and their execution controller was not seen to think otherwise.
func (w Work) silent() bool { return w.Suspended && w.Dispatching != metav1.ConditionTrue }

// DryRun is what a PUT of a Work would leave in the member.
type DryRun struct {
	Live   *unstructured.Unstructured
	Result *unstructured.Unstructured
	// Error of the member when it refuses the PUT.
	Error string
	// Untried says why nothing is known of the PUT: the member did not answer, say. Nobody refused anything.
	Untried string
}

// Control is what the control plane holds for the application.
type Control struct {
	// Kinds karmada-apiserver serves: "apps/v1/Deployment".
	Kinds     map[string]bool
	Templates map[Ref]*unstructured.Unstructured
	// Unread says of templates that could not be read why: they may or may not be there.
	Unread map[Ref]string
	// ScalersUnread says why it is not known which autoscalers scale the workload; empty when it is.
	ScalersUnread string
	// Policies and Overrides of the namespace, by name.
	Policies  map[string]*policyv1alpha1.PropagationPolicy
	Overrides map[string]*policyv1alpha1.OverridePolicy
	// ClusterPolicies by name.
	ClusterPolicies map[string]*policyv1alpha1.ClusterPropagationPolicy
	// Bindings by the object they bind.
	Bindings map[Ref]*workv1alpha2.ResourceBinding
}

// Neighbour is another application of the namespace.
type Neighbour struct {
	// Owner is its Migration's name.
	Owner string
	// Gone is true when it has nothing in the control plane: it left, or never came.
	Gone bool
	// Settled is true when it is federated and not on its way anywhere.
	Settled bool
	// Clusters it runs in; the value says whether it is open there.
	Clusters map[string]bool
}

// Reading says how much of a World the next step needs. Members are read only on the way in, and when an
// application leaves for good: a cut-off must not wait for one that is down.
type Reading struct {
	// Nothing more than the application's record, its entry and its turn: it waits for them, and has nothing in the control plane.
	Nothing bool
	// Works of the application's objects in every cluster.
	Works   bool
	Members bool
	DryRuns bool
	// Release asks for dry runs of what Karmada writes when it lets go of an object.
	Release bool
	// Scalers asks for the Works of autoscalers: a rollback is over when these, too, are no longer dispatched.
	Scalers bool
}

// ruled is the world as a person's rollback has it: that wins over every list.
func (w World) ruled() World {
	w.Status = *w.Status.DeepCopy()
	w.Status.WriteOut()
	if w.Spec.Rollback != nil {
		w.Entry, w.Conflict = nil, ""
	}
	return w
}

// Needs of an application, from its entry and record alone.
func Needs(world World) Reading {
	world = world.ruled()
	way := world.way()
	switch way[len(way)-1].name {
	case arrive[len(arrive)-1].name:
		if awaits(world) {
			return Reading{Nothing: true}
		}
		phase := world.Status.Phase
		return Reading{Works: true, Members: true, DryRuns: phase != v1alpha1.PhaseSoaking && world.Turn.Prepare}
	case leave[len(leave)-1].name:
		return Reading{Works: true, Members: true, DryRuns: true, Release: true}
	case depart[len(depart)-1].name:
		// What closes everything is sent before anything is looked at that takes long.
		begun := world.Status.Phase == v1alpha1.PhaseCuttingOff
		return Reading{Works: begun || world.Status.Phase == v1alpha1.PhaseCutOff, Scalers: begun}
	}
	return Reading{Works: true}
}

// awaits says whether it is not an application's turn, and nothing of it is in the control plane.
func awaits(world World) bool {
	if len(world.Status.Resources) > 0 || len(world.Status.Clusters) > 0 {
		return false
	}
	return begin(world).turn() == stop
}

// Decision is what to do about a World.
type Decision struct {
	// Step that decided, for logs, metrics and transcripts.
	Step string
	// Status to record before anything else is written: a crash then resumes from the intent.
	Status v1alpha1.MigrationStatus
	// Actions in their order.
	Actions []Action
	Events  []Event
	// Requeue after this long; 0 waits for a change.
	Requeue time.Duration
}

// Verb of an Action.
type Verb string

// The verbs.
const (
	// WriteTemplate, WritePolicy and WriteOverride create or fully update Object.
	WriteTemplate Verb = "WriteTemplate"
	WritePolicy   Verb = "WritePolicy"
	WriteOverride Verb = "WriteOverride"
	// SetSuspension writes only spec.suspension, preserveResourcesOnDeletion and what is tolerated of a policy, in one update.
	// While anything is closed its placement is held (policy.Hold).
	SetSuspension Verb = "SetSuspension"
	// SetScheduling freezes or frees a binding, and presets its clusters when they are given. A frozen one is held.
	SetScheduling Verb = "SetScheduling"
	// Mark sets or removes annotations and labels on a template or policy.
	Mark Verb = "Mark"
	// Delete removes a template, policy or override from the control plane. Never anything in a member.
	Delete Verb = "Delete"
)

// Action is one write to the control plane. No action writes to a member.
type Action struct {
	Verb Verb
	// Seen is the resourceVersion of the object that the decision rests on, empty when there was none. The
	// write fails when the object is another by then: what one application opens, another may have closed, and what a
	// controller decided that has lost its lease since, the next may have decided otherwise.
	Seen string
	// Ref of the object acted on; its APIVersion and Kind tell policies from templates.
	Ref Ref
	// Object to write, for the Write verbs.
	Object *unstructured.Unstructured
	Policy *policyv1alpha1.PropagationPolicy
	Over   *policyv1alpha1.OverridePolicy
	// Suspension for SetSuspension; nil opens every cluster.
	Suspension *policyv1alpha1.Suspension
	// LetGo for SetSuspension gives a placement that was held back to Karmada's failover.
	LetGo bool
	// Frozen and Clusters for SetScheduling.
	Frozen   bool
	Clusters []workv1alpha2.TargetCluster
	// Annotations and Labels for Mark; a nil value removes the key.
	Annotations map[string]*string
	Labels      map[string]*string
}

// Event to record on the Migration.
type Event struct {
	Warning bool
	Reason  string
	Message string
}
