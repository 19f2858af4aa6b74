package family

import (
	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argosy-dev/argosy/interpreter/edit"
)

// Family is the rules for kinds that are read alike. A nil rule means Karmada is not to ask: the webhook
// configuration in deploy/webhook lists exactly the rules that are set (a test holds the two together).
type Family struct {
	// Name in metrics and messages: lower case, such as "cloneset".
	Name string
	// Kinds the rules apply to, with the versions they were made for. They apply to every other version of these kinds too: Karmada
	// speaks of a kind in the version karmada-apiserver prefers, which a new CRD changes from one day to the next, and a version that
	// nobody answers for is read by Karmada's own rules without a word.
	Kinds []schema.GroupVersionKind

	// InterpretReplica tells the scheduler how many replicas there are and what each needs. Object: the template.
	InterpretReplica func(object *unstructured.Unstructured) (Replicas, error)
	// InterpretComponent is for kinds of several pod templates, and never beside ReviseReplica: where its gate MultiplePodTemplatesScheduling
	// is on Karmada asks it instead of InterpretReplica, divides nothing, and asks ReviseReplica for 0 replicas in each member. Object: the
	// template.
	InterpretComponent func(object *unstructured.Unstructured) ([]workv1alpha2.Component, error)
	// NeedsDivision is true when ReviseReplica can answer exactly only with Target.Clusters, which costs a read of
	// the ResourceBinding. nil: never.
	NeedsDivision func(object *unstructured.Unstructured, replicas int32) bool
	// ReviseReplica makes the template one member's manifest. Object: a copy of the template whose replicas are still
	// the fleet's total.
	ReviseReplica func(object *unstructured.Unstructured, target Target) (edit.List, error)
	// Dispatch makes the manifest in a Work, which ReviseReplica made without knowing for whom, that of the cluster the Work is for.
	// nil: ReviseReplica leaves nothing open.
	Dispatch func(manifest *unstructured.Unstructured, to Destination) (edit.List, error)
	// Retain keeps in the desired manifest what belongs to the member. The edits are to desired; observed is the
	// member's object and bears the annotation by which retain.Cluster knows the member.
	Retain func(desired, observed *unstructured.Unstructured) (edit.List, error)
	// AggregateStatus makes the template's status of its members'. Object: the template.
	AggregateStatus func(object *unstructured.Unstructured, members []Member) (edit.List, error)
	// InterpretStatus picks what is carried from a member to the control plane. Object: the member's.
	InterpretStatus func(observed *unstructured.Unstructured) (map[string]any, error)
	// InterpretHealth is false where Karmada should think of moving the workload elsewhere. Object: the member's.
	InterpretHealth func(observed *unstructured.Unstructured) (bool, error)
	// InterpretDependency lists what must reach a member together with the workload. Object: the template.
	InterpretDependency func(object *unstructured.Unstructured) ([]configv1alpha1.DependentObjectReference, error)
}

// Replicas is what the scheduler divides.
type Replicas struct {
	Count int32
	// Requirements of one replica; nil where a replica takes no room in the member (a machine outside it).
	Requirements *workv1alpha2.ReplicaRequirements
}

// Target is what ReviseReplica is asked for.
type Target struct {
	// Replicas of the one member the manifest is for. Karmada does not say which member that is.
	Replicas int32
	// Clusters is the whole division as the ResourceBinding has it; nil when it was not needed, when there is no binding, or
	// when nothing is divided (every member gets all replicas). Without it answer carefully: never more than asked.
	Clusters []workv1alpha2.TargetCluster
	// CreatedWith is, for each cluster that has reported an object, the hash of the template it was created with and has had ever
	// since (annotation mark.CreatedWith); empty where it was updated since. Empty or nil: nobody has reported.
	CreatedWith map[string]string
	// Updated is, for each cluster that has said so, how many replicas are of which template.
	Updated map[string]Updated
}

// Updated is what a cluster has said of a template's replicas.
type Updated struct {
	// Template is its hash.
	Template string
	// Replicas of it, at least, of Total that the cluster has; 0 where it did not say how many.
	Replicas, Total int32
	// All: the cluster has no older template any more, and makes every replica from this one.
	All bool
}

// Destination is where a Work's manifest goes.
type Destination struct {
	Cluster string
	// Overridden is true where an OverridePolicy has set the field at path, or part of it, for this cluster.
	Overridden func(path ...string) bool
}

// Member is one member's part in AggregateStatus.
type Member struct {
	Cluster string
	// Status as InterpretStatus made it; nil when the member has not reported: unknown, which is not zero.
	Status map[string]any
	// Unreadable says why a status that was reported is no object; then Status is nil.
	Unreadable string
	// Unreachable says why nobody can ask the member now; Status is then the last it sent. Empty: it can be asked.
	Unreachable string
	// Whole is true where the member has all of the template's replicas and not a share of them: the policy says Duplicated.
	Whole  bool
	Health workv1alpha2.ResourceHealth
	// Applied is false, with the message, when the member refused the manifest.
	Applied        bool
	AppliedMessage string
}

// Operations the family answers, in the order of Karmada's own list.
func (f *Family) Operations() []configv1alpha1.InterpreterOperation {
	var out []configv1alpha1.InterpreterOperation
	for _, rule := range []struct {
		operation configv1alpha1.InterpreterOperation
		set       bool
	}{
		{configv1alpha1.InterpreterOperationInterpretReplica, f.InterpretReplica != nil},
		{configv1alpha1.InterpreterOperationInterpretComponent, f.InterpretComponent != nil},
		{configv1alpha1.InterpreterOperationReviseReplica, f.ReviseReplica != nil},
		{configv1alpha1.InterpreterOperationRetain, f.Retain != nil},
		{configv1alpha1.InterpreterOperationAggregateStatus, f.AggregateStatus != nil},
		{configv1alpha1.InterpreterOperationInterpretStatus, f.InterpretStatus != nil},
		{configv1alpha1.InterpreterOperationInterpretHealth, f.InterpretHealth != nil},
		{configv1alpha1.InterpreterOperationInterpretDependency, f.InterpretDependency != nil},
	} {
		if rule.set {
			out = append(out, rule.operation)
		}
	}
	return out
}
