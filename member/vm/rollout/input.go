package rollout

import (
	"cmp"
	"fmt"
	"slices"
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
	"github.com/argosy-dev/argosy/member/vm/code"
)

// Input is a VMDeployment and the servers of its target.
type Input struct {
	Deployment *v1alpha1.VMDeployment
	// Release to bring to them, and its revision: spec.release, or that of rollbackTo.
	Release  v1alpha1.Release
	Revision string
	// Before is the release that all had before it; nil: there was none. Servers that are born before their turn begin with it.
	Before *v1alpha1.Release
	// Answers of the gates' webhooks, in the form of approvals.
	Answers []gatev1alpha1.Approval
	// Servers of the target, those on their way out not among them.
	Servers []*v1alpha1.Server
	Now     time.Time

	// compared is what Decide asks of each server many times; nil: it is compared at each question.
	compared map[*v1alpha1.Server]compared
}

// compared is whether a server was granted the release, and has it, and its place by its name.
type compared struct {
	granted, has bool
	// stuck: it has yet to be granted the release, and until it is nobody else may be.
	stuck bool
	slot  int64
}

// compare every server with the release once.
func (in Input) compare() map[*v1alpha1.Server]compared {
	out := make(map[*v1alpha1.Server]compared, len(in.Servers))
	hash := code.Hash(in.Release)
	for _, s := range in.Servers {
		one := compared{granted: in.granted(s), slot: slot(s)}
		one.has = one.granted && code.SameAs(s.Status.Release, in.Release, hash)
		out[s] = one
	}
	if in.compared = out; in.budget() > 0 {
		return out
	}
	for s, one := range out {
		one.stuck = !one.granted && !ready(s) && releaseFailed(s)
		out[s] = one
	}
	return out
}

// ordered servers: those that were granted the release first, then those that are away with another that failed for good, where nobody else
// may go before they are back, then by their number.
func (in Input) ordered() []*v1alpha1.Server {
	of := in.compared
	if of == nil {
		of = in.compare()
	}
	out := slices.Clone(in.Servers)
	slices.SortStableFunc(out, func(a, b *v1alpha1.Server) int {
		return cmp.Or(cmpBool(of[b].granted, of[a].granted), cmpBool(of[b].stuck, of[a].stuck), cmp.Compare(of[a].slot, of[b].slot),
			cmp.Compare(a.Name, b.Name))
	})
	return out
}

// releaseFailed says that the release on its way to the server, whichever that is, failed for good: it waits until another is asked of it.
func releaseFailed(s *v1alpha1.Server) bool {
	return s.Status.Operation != nil && s.Status.Operation.Kind == v1alpha1.OperationCode &&
		slices.ContainsFunc(s.Status.Tasks, func(t v1alpha1.Task) bool { return t.State == v1alpha1.TaskFailed })
}

func cmpBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// slot is the number at the end of a server's name.
func slot(s *v1alpha1.Server) int64 {
	n, err := strconv.ParseInt(s.Name[strings.LastIndex(s.Name, "-")+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// granted says that the server was told to have the release.
func (in Input) granted(s *v1alpha1.Server) bool {
	if in.compared != nil {
		return in.compared[s].granted
	}
	return s.Spec.Release != nil && equality.Semantic.DeepEqual(*s.Spec.Release, in.Release)
}

// has says that the release was found on the server.
func (in Input) has(s *v1alpha1.Server) bool {
	if in.compared != nil {
		return in.compared[s].has
	}
	return in.granted(s) && code.Same(s.Status.Release, in.Release)
}

// unread says that what is on the server was deployed before hashes were written, and that the server's own look will write one next. Were
// it told to have the release before that, whose version and checksum are the same, it would be taken to have it.
func (in Input) unread(s *v1alpha1.Server) bool {
	return code.Adopts(s.Status.Release, s.Spec.Release) && code.Adopts(s.Status.Release, &in.Release)
}

func ready(s *v1alpha1.Server) bool {
	return apimeta.IsStatusConditionTrue(s.Status.Conditions, v1alpha1.ConditionReady)
}

// serves says that it has the release and is in service with it. A change of its weight is none of that, so how new its status is does not
// matter.
func (in Input) serves(s *v1alpha1.Server) bool { return in.has(s) && ready(s) }

// done says that it serves with the release, and that its alert queries are quiet since it does.
func (in Input) done(s *v1alpha1.Server) bool { return in.serves(s) && unheard(s) == "" }

// unheard says why nobody knows whether the server's alert queries are quiet; empty: they are, it has none, or a person decided. Who is
// deployed to is asked about anew, so what was heard is of its release.
func unheard(s *v1alpha1.Server) string {
	asked := slices.ContainsFunc(s.Spec.Monitors, func(m v1alpha1.Monitor) bool { return m.AlertQuery != "" })
	if !asked || s.Status.DecidedBy == v1alpha1.DecidedByHuman {
		return ""
	}
	normal := apimeta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionMonitoringNormal)
	switch {
	case normal == nil:
		return "nobody asks them"
	case normal.Status == metav1.ConditionUnknown:
		return normal.Message
	}
	return "" // one whose alert fires is not ready
}

// completed says that the release was Complete when it was looked at before. It stays so, whoever dies or is born later: the rollout is
// over, as a Deployment's is. Another release in between ends that, since updateRevision was its then.
func (in Input) completed() bool {
	status := &in.Deployment.Status
	return status.UpdateRevision == in.Revision && apimeta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionComplete)
}

// failed says why the release could not be brought to the server; empty: it did not fail.
func (in Input) failed(s *v1alpha1.Server) string {
	op := s.Status.Operation
	if !in.granted(s) || op == nil || op.Kind != v1alpha1.OperationCode || s.Status.ObservedGeneration != s.Generation {
		return ""
	}
	for _, t := range s.Status.Tasks {
		if t.State == v1alpha1.TaskFailed {
			return fmt.Sprintf("%s: %s", t.Type, t.Message)
		}
	}
	return ""
}

// ends are how many servers, from the first, have the release when each batch is done. The last has all.
func (in Input) ends() []int {
	n := len(in.Servers)
	var out []int
	end := 0
	for i := range in.Deployment.Spec.Strategy.Batches {
		size, err := intstr.GetScaledValueFromIntOrPercent(&in.Deployment.Spec.Strategy.Batches[i], n, true)
		if err != nil {
			size = 1 // the schema admits numbers and percentages only
		}
		end = min(n, end+size)
		out = append(out, end)
	}
	if len(out) == 0 {
		return []int{n}
	}
	out[len(out)-1] = n
	return out
}

// mayBeAway is how many servers may be out of service at a time: one always.
func (in Input) mayBeAway() int {
	n, err := intstr.GetScaledValueFromIntOrPercent(
		cmp.Or(in.Deployment.Spec.Strategy.MaxUnavailable, ptr.To(intstr.FromInt32(1))), len(in.Servers), false)
	if err != nil {
		n = 1 // the schema admits numbers and percentages only
	}
	return max(1, n)
}

// budget is how many more servers may go away.
func (in Input) budget() int {
	n := in.mayBeAway()
	for _, s := range in.Servers {
		if !ready(s) || in.granted(s) && !in.done(s) {
			n--
		}
	}
	return n
}

// readySince is when it became ready.
func readySince(s *v1alpha1.Server) time.Time {
	c := apimeta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status != metav1.ConditionTrue {
		return time.Time{}
	}
	return c.LastTransitionTime.Time
}
