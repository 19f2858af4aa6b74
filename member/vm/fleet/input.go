package fleet

import (
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

// Input is a set and its servers.
type Input struct {
	Set *v1alpha1.VMReplicaSet
	// Revision is the environment of the set's template.
	Revision string
	// Servers are all that the set owns, those on their way out too.
	Servers []Member
	// Taken are slots whose names are those of Servers of others.
	Taken []int64
	// NoMachine says that no machine can be made now: no server is, and none gives way to another that cannot be.
	NoMachine bool
	// Answers of the webhooks of the set's gates.
	Answers []gatev1alpha1.Approval
	Now     time.Time
}

// Member is one server of the set.
type Member struct {
	*v1alpha1.Server
	// Revision of the environment it was granted, and whether that is what was found on it.
	Revision string
	Current  bool
	// GrantedAt is when it was granted.
	GrantedAt time.Time
	// GivenUp says that it was taken offline because it could not be reached.
	GivenUp bool
	// FenceTried and Fenced say whether its machine was told to stop, and whether the driver confirmed that it does not run.
	FenceTried, Fenced bool
}

// active members are those the set counts on.
func (m Member) active() bool { return m.DeletionTimestamp == nil && !m.Spec.Offline }

func (m Member) ready() bool {
	return apimeta.IsStatusConditionTrue(m.Status.Conditions, v1alpha1.ConditionReady)
}

// readySince is when it became ready.
func (m Member) readySince() time.Time {
	c := apimeta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status != metav1.ConditionTrue {
		return time.Time{}
	}
	return c.LastTransitionTime.Time
}

func (m Member) due() bool {
	return apimeta.IsStatusConditionTrue(m.Status.Conditions, v1alpha1.ConditionFailoverDue)
}

// sick members count against the budget of failover.
func (m Member) sick() bool {
	healthy := apimeta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionHealthy)
	return m.Status.Phase == v1alpha1.ServerUnknown || healthy != nil && healthy.Status == metav1.ConditionFalse
}

// slot is the number in its name; 0 for a name that is none of ours.
func (m Member) slot(set string) int64 {
	n, err := strconv.ParseInt(strings.TrimPrefix(m.Name, set+"-"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// ServerName is that of the server in a slot.
func ServerName(set string, slot int64) string { return set + "-" + strconv.FormatInt(slot, 10) }

func (in Input) replicas() int { return int(ptr.Deref(in.Set.Spec.Replicas, 1)) }

// abandoned are the entries that still hold. One is over once the set was lowered by it, and once more is asked for than when it was
// made: kept, either would count again when the number comes back.
func (in Input) abandoned() []v1alpha1.AbandonedServer {
	given := map[int32]int{}
	for _, a := range in.Set.Status.Abandoned {
		given[a.Replicas]++
	}
	var out []v1alpha1.AbandonedServer
	for _, a := range in.Set.Status.Abandoned {
		if then := int(a.Replicas); then >= in.replicas() && then-given[a.Replicas] < in.replicas() {
			out = append(out, a)
		}
	}
	return out
}

// desired is how many servers the set keeps: spec.replicas, or what it had when servers were given up less those, if that is lower. A
// spec.replicas above the number of then is a new wish.
func (in Input) desired() int { return in.keep(in.abandoned()) }

// keep is the same with these entries.
func (in Input) keep(abandoned []v1alpha1.AbandonedServer) int {
	out := in.replicas()
	given := map[int32]int{}
	for _, a := range abandoned {
		given[a.Replicas]++
	}
	for then, n := range given {
		out = min(out, max(0, int(then)-n))
	}
	return out
}

func (in Input) active() []Member {
	var out []Member
	for _, m := range in.Servers {
		if m.active() {
			out = append(out, m)
		}
	}
	return out
}

// part is a number or a percentage of the servers to keep.
func (in Input) part(value *intstr.IntOrString, roundUp bool) int {
	if value == nil {
		return 0
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(value, in.desired(), roundUp)
	if err != nil {
		return 0 // the schema admits numbers and percentages only
	}
	return n
}

// unavailable is how many may be away at a time, never none.
func (in Input) unavailable() int {
	return max(1, in.part(in.Set.Spec.UpdateStrategy.MaxUnavailable, false))
}

// otherMachine says that the template's machine is not the member's.
func (in Input) otherMachine(m Member) bool {
	return !equality.Semantic.DeepEqual(m.Spec.Machine, in.Set.Spec.Template.Spec.Machine)
}
