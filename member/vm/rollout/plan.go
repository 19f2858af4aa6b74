package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
	"github.com/argosy-dev/argosy/internal/text"
)

// cut a message to what a status has room for.
func cut(words string) string { return text.Cut(words, 1024) }

// Plan is what to write.
type Plan struct {
	// Changes of servers, by name.
	Changes map[string]Change
	Status  v1alpha1.VMDeploymentStatus
	// Wake is when time alone changes something; zero: never.
	Wake time.Time
}

// Change of one server's spec: its release, and the weight it has while its batch is watched; nil: that of its load balancers.
type Change struct {
	Release *v1alpha1.Release
	Weight  *int32
}

// stand is how far the release is.
type stand struct {
	servers []*v1alpha1.Server
	ends    []int
	// granted servers are the first ones.
	granted int
	// batch is the first that is not done; len(ends): all are, or were: the rollout is over.
	batch int
	// away are the servers that were told to have it and do not serve with it, by their place in the order.
	away   []int
	failed []v1alpha1.FailedServer
	// unheard are the servers that serve with it and whose alert queries nobody knows to be quiet, and why of the first.
	unheard    []string
	whyUnheard string
	// progress is when anything last got further.
	progress time.Time
	// asks says that servers which were told to have it wait for a person at gates of their own.
	asks bool
}

func (in Input) stand() stand {
	out := stand{servers: in.ordered(), ends: in.ends()}
	done := 0
	for i, s := range out.servers {
		if !in.granted(s) {
			break
		}
		out.granted++
		if why := in.failed(s); why != "" {
			out.failed = append(out.failed, v1alpha1.FailedServer{Name: s.Name, Reason: v1alpha1.ReasonTaskFailed, Message: cut(why)})
		}
		why := unheard(s)
		switch {
		case !in.serves(s):
			out.away = append(out.away, i)
		case why != "":
			out.unheard, out.whyUnheard = append(out.unheard, s.Name), cmp.Or(out.whyUnheard, why)
		case done == i:
			done++
		}
		if op := s.Status.Operation; op != nil && op.StartedAt != nil {
			out.progress = later(out.progress, op.StartedAt.Time)
		}
		asks, since := awaits(s.Status.Conditions)
		out.asks = out.asks || asks && !in.serves(s)
		out.progress = later(out.progress, later(since, readySince(s)))
	}
	for out.batch < len(out.ends) && (done >= out.ends[out.batch] || in.completed()) {
		out.batch++
	}
	return out
}

// over says that nothing is left of the rollout.
func (s stand) over() bool { return s.batch == len(s.ends) }

// begins is the server from which the batch under way begins.
func (s stand) begins() int {
	if s.batch == 0 {
		return 0
	}
	return s.ends[s.batch-1]
}

// underWay is the last batch of which any server was told to have the release, or the next one when all before it are done; len(ends): all
// are. A server of an earlier batch that is away again holds what comes next, and no batch begins anew for it.
func (s stand) underWay() int {
	out := s.batch
	for out < len(s.ends)-1 && s.granted > s.ends[out] {
		out++
	}
	return out
}

// Decide which servers get the release next.
func Decide(in Input) Plan {
	in.compared = in.compare()
	at := in.stand()
	out := Plan{Changes: map[string]Change{}, Status: *in.Deployment.Status.DeepCopy()}
	stalled := in.stalled(at)
	var waits waiting
	switch {
	case in.Deployment.Spec.Paused, stalled != nil:
	case at.over():
		in.grant(at, len(at.servers), &out) // who was born since: of the release that all have nobody is asked again
	default:
		if waits = in.waits(at); waits.none() {
			in.grant(at, at.ends[at.batch], &out)
		}
	}
	in.weigh(at, &out)
	in.newborn(at, &out)
	out.Wake = waits.until
	in.status(at, &out, waits, stalled)
	return out
}

// grant the release to servers, up to the end of the batch under way. Who does not serve loses nothing by it.
func (in Input) grant(at stand, end int, out *Plan) {
	budget := in.budget()
	for _, s := range at.servers[at.granted:max(at.granted, end)] {
		if in.unread(s) {
			continue
		}
		if ready(s) {
			if budget <= 0 {
				continue
			}
			budget--
		}
		out.Changes[s.Name] = Change{Release: &in.Release, Weight: in.weight(at)}
	}
}

// weight of the servers of the batch that is watched; nil: their full one. Who comes to a release that all had has nothing to be watched
// for.
func (in Input) weight(at stand) *int32 {
	w := in.Deployment.Spec.Strategy.TrafficWeight
	if w == nil || *w >= 100 || at.over() || in.Deployment.Status.CurrentRevision == in.Revision {
		return nil
	}
	return ptr.To(*w)
}

// watched is the first server of the batch that is watched: the last one of which any server was told to have the release. That a server
// of an earlier batch is away says nothing of the others of it.
func (s stand) watched() int {
	begins := 0
	for _, end := range s.ends {
		if s.granted <= end {
			break
		}
		begins = end
	}
	return begins
}

// weigh gives servers of the batch that is watched the weight of the strategy, and those of the batches before it their full one.
func (in Input) weigh(at stand, out *Plan) {
	for i, s := range at.servers[:at.granted] {
		want := in.weight(at)
		if i < at.watched() {
			want = nil
		}
		if !ptr.Equal(s.Spec.TrafficWeight, want) {
			out.Changes[s.Name] = Change{Release: &in.Release, Weight: want}
		}
	}
}

// newborn servers begin with what the others have until it is their turn.
func (in Input) newborn(at stand, out *Plan) {
	if in.Before == nil {
		return
	}
	for _, s := range at.servers[at.granted:] {
		if _, ours := out.Changes[s.Name]; !ours && s.Spec.Release == nil {
			out.Changes[s.Name] = Change{Release: in.Before}
		}
	}
}

// waiting is what stands before the batch under way.
type waiting struct {
	approvals []gatev1alpha1.PendingApproval
	rejected  *gatev1alpha1.Approval
	until     time.Time
}

func (w waiting) none() bool { return len(w.approvals) == 0 && w.rejected == nil && w.until.IsZero() }

// Operation names the beginning of a batch of this rollout, for approvals: what was approved of a release is not when it comes once more.
func (in Input) Operation(batch int) string {
	what := "batch/" + in.Revision
	if rollout := in.rollouts(); rollout > 0 { // what began before they were counted keeps its name
		what += "/" + strconv.FormatInt(rollout, 10)
	}
	return gate.OperationID(in.Deployment.UID, what, int64(batch+1))
}

// rollouts is how many there were, this one among them.
func (in Input) rollouts() int64 {
	if in.another() {
		return in.Deployment.Status.Rollouts + 1
	}
	return in.Deployment.Status.Rollouts
}

// Operations of the release: the beginnings of all its batches.
func (in Input) Operations() []string {
	var out []string
	for batch := range in.ends() {
		out = append(out, in.Operation(batch))
	}
	return out
}

func (in Input) waits(at stand) waiting {
	var out waiting
	if at.granted > at.begins() {
		return out // it has begun
	}
	var gates []string
	for _, g := range in.Deployment.Spec.Gates {
		if g.Stage == gatev1alpha1.StageCode {
			gates = append(gates, g.Name)
		}
	}
	between := at.batch > 0 && at.begins() > 0
	strategy := in.Deployment.Spec.Strategy
	if between && strategy.PauseBetween == v1alpha1.PauseApproval {
		gates = append(gates, gatev1alpha1.GateBatch)
	}
	id := in.Operation(at.batch)
	decisions := slices.Concat(in.Deployment.Spec.Approvals, in.Answers)
	for _, name := range gates {
		switch verdict, by := gate.Judge(decisions, name, id); verdict {
		case gate.Rejected:
			out.rejected = by
		case gate.Shut:
			out.approvals = append(out.approvals, in.pending(name, id, at))
		}
	}
	if until := in.pausedUntil(at); in.Now.Before(until) {
		out.until = until
	}
	return out
}

// pausedUntil is when the time between the batches before and the one under way is over; zero: there is none.
func (in Input) pausedUntil(at stand) time.Time {
	strategy := in.Deployment.Spec.Strategy
	if strategy.PauseBetween != v1alpha1.PauseSeconds || at.begins() == 0 {
		return time.Time{}
	}
	var last time.Time
	for _, s := range at.servers[:at.begins()] {
		last = later(last, readySince(s))
	}
	return last.Add(time.Duration(ptr.Deref(strategy.PauseSeconds, 0)) * time.Second)
}

func (in Input) pending(name, id string, at stand) gatev1alpha1.PendingApproval {
	out := gatev1alpha1.PendingApproval{
		Gate: name, OperationID: id, Since: &metav1.Time{Time: in.Now},
		Summary: fmt.Sprintf("release %s, batch %d of %d: servers %d to %d of %d get it; %d have it and serve", in.Release.Version,
			at.batch+1, len(at.ends), at.begins()+1, at.ends[at.batch], len(at.servers), at.begins()),
	}
	for _, before := range in.Deployment.Status.PendingApprovals {
		if before.Gate == name && before.OperationID == id && before.Since != nil {
			out.Since = before.Since
		}
	}
	return out
}

// verdict is why a release stopped.
type verdict struct{ reason, message string }

func (in Input) stalled(at stand) *verdict {
	limit := int(in.Deployment.Spec.Strategy.MaxFailed)
	if len(at.failed) <= limit || at.over() {
		return nil
	}
	var names []string
	for _, f := range at.failed {
		names = append(names, f.Name)
	}
	return &verdict{v1alpha1.ReasonBatchFailed, cut(fmt.Sprintf("the release failed on %s, and %d may fail: %s",
		strings.Join(names, ", "), limit, at.failed[0].Message))}
}

// late says that nothing got further for progressDeadlineSeconds. Waiting for a person, or for time to pass, does not count.
func (in Input) late(at stand) (*verdict, time.Time) {
	if at.asks {
		return nil, time.Time{}
	}
	since := later(at.progress, in.pausedUntil(at))
	asked, answered := awaits(in.Deployment.Status.Conditions)
	since = later(since, answered)
	was := apimeta.FindStatusCondition(in.Deployment.Status.Conditions, v1alpha1.ConditionProgressing)
	if was != nil {
		since = later(since, was.LastTransitionTime.Time)
	}
	// What begins, or goes on after it was held, has just begun: servers do not show it yet.
	held := was != nil && was.Status != metav1.ConditionTrue && was.Reason != v1alpha1.ReasonProgressDeadlineExceeded
	if asked || held || in.another() || since.IsZero() || since.After(in.Now) {
		since = in.Now
	}
	limit := time.Duration(ptr.Deref(in.Deployment.Spec.ProgressDeadlineSeconds, 600)) * time.Second
	if until := since.Add(limit); in.Now.Before(until) {
		return nil, until
	}
	return &verdict{v1alpha1.ReasonProgressDeadlineExceeded, cut(fmt.Sprintf("nothing got further since %s%s",
		since.UTC().Format(time.RFC3339), at.waitsForAlerts()))}, time.Time{}
}

// another says that another release is asked for than when it was looked at before.
func (in Input) another() bool { return in.Deployment.Status.UpdateRevision != in.Revision }

// awaits says whether a gate waits for a person, and since when it does, or does not any more.
func awaits(conditions []metav1.Condition) (bool, time.Time) {
	c := apimeta.FindStatusCondition(conditions, v1alpha1.ConditionAwaitingApproval)
	if c == nil {
		return false, time.Time{}
	}
	return c.Status == metav1.ConditionTrue, c.LastTransitionTime.Time
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
