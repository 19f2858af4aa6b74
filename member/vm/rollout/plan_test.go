package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func release(version string) v1alpha1.Release { return v1alpha1.Release{Version: version} }

func deployment(batches ...string) *v1alpha1.VMDeployment {
	d := &v1alpha1.VMDeployment{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: types.UID("u"), Generation: 2}}
	d.Spec.Release = release("2")
	for _, b := range batches {
		d.Spec.Strategy.Batches = append(d.Spec.Strategy.Batches, intstr.Parse(b))
	}
	return d
}

func setReady(s *v1alpha1.Server, is bool, at time.Time) {
	c := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "x", LastTransitionTime: metav1.NewTime(at)}
	if is {
		c.Status = metav1.ConditionTrue
	}
	apimeta.SetStatusCondition(&s.Status.Conditions, c)
}

// servers by one letter each: o serves with the old release, n with the new one, g was granted it and is on its way, f failed, b was born
// and has none, d is down with the old one.
func servers(text string) []*v1alpha1.Server {
	var out []*v1alpha1.Server
	for i, letter := range text {
		s := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("web-%d", i+1), Generation: 1}}
		s.Status.ObservedGeneration = 1
		want, has := "1", "1"
		switch letter {
		case 'n':
			want, has = "2", "2"
		case 'g', 'f':
			want = "2"
		}
		if letter != 'b' {
			s.Spec.Release = ptr.To(release(want))
			s.Status.Release = code.Deployed(release(has))
		}
		if letter == 'f' {
			s.Status.Operation = &v1alpha1.Operation{Kind: v1alpha1.OperationCode}
			s.Status.Tasks = []v1alpha1.Task{{ID: "x", Type: v1alpha1.TaskCheckHealth, State: v1alpha1.TaskFailed, Message: "it does not come up"}}
		}
		setReady(s, letter == 'o' || letter == 'n', noon.Add(-time.Minute))
		out = append(out, s)
	}
	return out
}

func changed(plan Plan, in Input) string {
	var out []string
	for _, s := range in.Servers {
		if c, ok := plan.Changes[s.Name]; ok {
			out = append(out, s.Name+"="+c.Release.Version)
		}
	}
	return strings.Join(out, " ")
}

func says(plan Plan, kind string) string {
	c := apimeta.FindStatusCondition(plan.Status.Conditions, kind)
	return string(c.Status) + " " + c.Reason
}

func TestDecide(t *testing.T) {
	paused := func(d *v1alpha1.VMDeployment) { d.Spec.Paused = true }
	approval := func(d *v1alpha1.VMDeployment) { d.Spec.Strategy.PauseBetween = v1alpha1.PauseApproval }
	seconds := func(d *v1alpha1.VMDeployment) {
		d.Spec.Strategy.PauseBetween, d.Spec.Strategy.PauseSeconds = v1alpha1.PauseSeconds, ptr.To[int32](90)
	}
	away := func(n int32) func(*v1alpha1.VMDeployment) {
		return func(d *v1alpha1.VMDeployment) { d.Spec.Strategy.MaxUnavailable = ptr.To(intstr.FromInt32(n)) }
	}
	tolerant := func(d *v1alpha1.VMDeployment) { d.Spec.Strategy.MaxFailed = 1 }
	gated := func(d *v1alpha1.VMDeployment) {
		d.Spec.Gates = []gatev1alpha1.Gate{{Name: "qa", Stage: gatev1alpha1.StageCode}, {Name: "other", Stage: gatev1alpha1.StageOffline}}
	}
	for name, tc := range map[string]struct {
		batches, servers string
		edit             []func(*v1alpha1.VMDeployment)
		want             string
		batch            int32
		progressing      string
		stalled, waiting string
	}{
		"the first": {servers: "oooo", want: "web-1=2", batch: 1},
		"three at a time": {
			servers: "oooo", edit: []func(*v1alpha1.VMDeployment){away(3)},
			want: "web-1=2 web-2=2 web-3=2", batch: 1},
		"one is away":                {servers: "gooo", batch: 1},
		"somebody else is away":      {servers: "oood", edit: []func(*v1alpha1.VMDeployment){away(1)}, want: "web-4=2", batch: 1},
		"who has none loses nothing": {servers: "bbbb", want: "web-1=2 web-2=2 web-3=2 web-4=2", batch: 1},
		"the next":                   {servers: "nooo", want: "web-2=2", batch: 1},
		"all":                        {servers: "nnnn", batch: 1, progressing: "False RolloutComplete"},
		"a batch of one": {
			batches: "25% 75%", servers: "oooo", edit: []func(*v1alpha1.VMDeployment){away(4)},
			want: "web-1=2", batch: 1},
		"the batch after it": {
			batches: "25% 75%", servers: "nooo", edit: []func(*v1alpha1.VMDeployment){away(4)},
			want: "web-2=2 web-3=2 web-4=2", batch: 2},
		"not before it is done": {batches: "25% 75%", servers: "gooo", edit: []func(*v1alpha1.VMDeployment){away(4)}, batch: 1},
		"what is left goes with it": {
			batches: "1 1", servers: "nooo", edit: []func(*v1alpha1.VMDeployment){away(4)},
			want: "web-2=2 web-3=2 web-4=2", batch: 2},
		"more batches than servers": {batches: "50% 50% 50%", servers: "no", want: "web-2=2", batch: 2},
		"paused":                    {servers: "nooo", edit: []func(*v1alpha1.VMDeployment){paused}, batch: 1, progressing: "False Paused"},
		"a person first": {
			batches: "25% 75%", servers: "nooo", edit: []func(*v1alpha1.VMDeployment){approval},
			batch: 2, waiting: "batch"},
		"no person before the first": {
			batches: "25% 75%", servers: "oooo", edit: []func(*v1alpha1.VMDeployment){approval},
			want: "web-1=2", batch: 1},
		"a gate is before the first": {servers: "oooo", edit: []func(*v1alpha1.VMDeployment){gated}, waiting: "qa"},
		"time first":                 {batches: "25% 75%", servers: "nooo", edit: []func(*v1alpha1.VMDeployment){seconds}, batch: 2},
		"one failed": {
			servers: "fooo", edit: []func(*v1alpha1.VMDeployment){away(4)},
			batch: 1, stalled: "True BatchFailed", progressing: "False BatchFailed"},
		"one may fail": {
			servers: "fooo", edit: []func(*v1alpha1.VMDeployment){away(4), tolerant},
			want: "web-2=2 web-3=2 web-4=2", batch: 1},
		"one may fail in a later batch": {
			batches: "25% 75%", servers: "nfoo", edit: []func(*v1alpha1.VMDeployment){away(4), tolerant},
			want: "web-3=2 web-4=2", batch: 2},
		"two may not": {
			servers: "ffoo", edit: []func(*v1alpha1.VMDeployment){away(4), tolerant},
			batch: 1, stalled: "True BatchFailed", progressing: "False BatchFailed"},
		"no server yet": {batches: "25% 75%"},
		"born while it goes on": {
			batches: "25% 75%", servers: "nooob", edit: []func(*v1alpha1.VMDeployment){approval},
			want: "web-5=1", batch: 1},
	} {
		d := deployment(strings.Fields(tc.batches)...)
		for _, edit := range tc.edit {
			edit(d)
		}
		in := Input{Deployment: d, Release: release("2"), Revision: "web-2", Before: ptr.To(release("1")), Now: noon}
		in.Servers = servers(tc.servers)
		plan := Decide(in)
		if have := changed(plan, in); have != tc.want {
			t.Errorf("%s: changes %q, want %q", name, have, tc.want)
		}
		if plan.Status.CurrentBatch != tc.batch {
			t.Errorf("%s: batch %d, want %d", name, plan.Status.CurrentBatch, tc.batch)
		}
		if want := strings.TrimSpace(tc.progressing); want != "" && says(plan, v1alpha1.ConditionProgressing) != want {
			t.Errorf("%s: Progressing %s, want %s", name, says(plan, v1alpha1.ConditionProgressing), want)
		}
		if tc.stalled == "" {
			tc.stalled = "False RollingOut"
		}
		if have := says(plan, v1alpha1.ConditionStalled); have != tc.stalled {
			t.Errorf("%s: Stalled %s, want %s", name, have, tc.stalled)
		}
		gates := ""
		for _, p := range plan.Status.PendingApprovals {
			gates += p.Gate
		}
		if gates != tc.waiting {
			t.Errorf("%s: waits at %q, want %q", name, gates, tc.waiting)
		}
	}
}

// TestAwayAgain: a server of an earlier batch that is away holds the release, and is said to; the batch under way is none of before.
func TestAwayAgain(t *testing.T) {
	told := func(batch, servers int, more string) string {
		return fmt.Sprintf("release 2: batch %d of 3, %d of 4 servers were told to have it%s", batch, servers, more)
	}
	for letters, tc := range map[string]struct {
		batches string
		batch   int32
		want    string
	}{
		"gnno": {"1 2 1", 2, told(2, 3, "; web-1 of an earlier batch does not serve with it, and nobody else gets it until then")},
		"ggoo": {"1 2 1", 2, told(2, 2, "; web-1 of an earlier batch does not serve with it, and nobody else gets it until then")},
		"ggnn": {"2 1 1", 3, told(3, 4, "; web-1, web-2 of earlier batches do not serve with it")},
		"nngn": {"2 1 1", 3, told(3, 4, "; web-3 of an earlier batch does not serve with it")},
		"ngno": {"1 2 1", 2, told(2, 3, "")},
		"nnno": {"1 2 1", 3, told(3, 3, "")},
	} {
		d := deployment(strings.Fields(tc.batches)...)
		d.Spec.Strategy.PauseBetween = v1alpha1.PauseApproval
		plan := Decide(Input{Deployment: d, Release: release("2"), Revision: "web-2", Now: noon, Servers: servers(letters)})
		have := apimeta.FindStatusCondition(plan.Status.Conditions, v1alpha1.ConditionProgressing)
		if have.Message != tc.want || plan.Status.CurrentBatch != tc.batch || len(plan.Changes) != 0 {
			t.Errorf("%s: batch %d, %q, %d changes, want batch %d, %q",
				letters, plan.Status.CurrentBatch, have.Message, len(plan.Changes), tc.batch, tc.want)
		}
	}
}

// weights of servers by their letter: 2 is that of the strategy, 1 the full one.
func weights(d *v1alpha1.VMDeployment, letters string) string {
	in := Input{Deployment: d, Release: release("2"), Revision: "r", Servers: servers(letters), Now: noon}
	for range 2 { // what the first look says is as the second finds it
		plan := Decide(in)
		for _, s := range in.Servers {
			if c, ok := plan.Changes[s.Name]; ok {
				s.Spec.Release, s.Spec.TrafficWeight = c.Release, c.Weight
			}
		}
	}
	out := ""
	for _, s := range in.Servers {
		out += map[bool]string{true: "1", false: "2"}[s.Spec.TrafficWeight == nil]
	}
	return out
}

// TestWeights: those of the batch that is watched have the weight of the strategy. A server of an earlier batch that is away takes the
// others nothing, and neither does one of a release that all had.
func TestWeights(t *testing.T) {
	for name, tc := range map[string]struct {
		servers, want string
		had, person   bool
	}{
		"the first batch":                       {servers: "gooooo", want: "211111"},
		"it is watched until the next begins":   {servers: "nooooo", want: "211111", person: true},
		"the second":                            {servers: "nngooo", want: "122111"},
		"one of the first is away":              {servers: "gnnooo", want: "122111"},
		"one of the first is away, in the last": {servers: "gnngoo", want: "111211"},
		"all have it":                           {servers: "nnnnnn", want: "111111"},
		"one is away of a release that all had": {servers: "ngnnnn", want: "111111", had: true},
		"one is born to a release that all had": {servers: "nnnnnb", want: "111111", had: true},
	} {
		d := deployment("1", "2", "100%")
		d.Spec.Strategy.TrafficWeight, d.Spec.Strategy.MaxUnavailable = ptr.To[int32](20), ptr.To(intstr.FromInt32(2))
		if tc.had {
			d.Status.CurrentRevision = "r"
		}
		if tc.person {
			d.Spec.Strategy.PauseBetween = v1alpha1.PauseApproval
		}
		if have := weights(d, tc.servers); have != tc.want {
			t.Errorf("%s: %s, want %s", name, have, tc.want)
		}
	}
}

// TestParamsAlone: servers that were told to have other params do not have the release before it was deployed; and nobody is told anything
// between two managers, before it is on record what is there.
func TestParamsAlone(t *testing.T) {
	d := deployment()
	d.Spec.Strategy.MaxUnavailable = ptr.To(intstr.FromInt32(2))
	with := release("2")
	with.Params = map[string]v1alpha1.BoundedString{"unit": "web.service"}
	in := Input{Deployment: d, Release: with, Revision: "r", Servers: servers("nn"), Now: noon}
	in.Servers[0].Spec.Release = ptr.To(with)
	plan := Decide(in)
	if have := says(plan, v1alpha1.ConditionComplete); !strings.HasPrefix(have, "False") || plan.Status.UpdatedServers != 0 {
		t.Errorf("Complete %s, %d updated", have, plan.Status.UpdatedServers)
	}
	in.Servers[0].Status.Release = code.Deployed(with)
	in.Servers[1].Status.Release.Hash = ""
	if have := changed(Decide(in), in); have != "" {
		t.Errorf("a server of which nobody wrote down what it has: %q", have)
	}
	in.Servers[1].Status.Release.Hash = code.Hash(release("2"))
	if have := changed(Decide(in), in); have != "web-2=2" {
		t.Errorf("once it is on record: %q", have)
	}
}

func TestTimeBetweenBatches(t *testing.T) {
	d := deployment("25%", "75%")
	d.Spec.Strategy.PauseBetween, d.Spec.Strategy.PauseSeconds = v1alpha1.PauseSeconds, ptr.To[int32](90)
	in := Input{Deployment: d, Release: release("2"), Revision: "r", Servers: servers("nooo"), Now: noon}
	if plan := Decide(in); !plan.Wake.Equal(noon.Add(30 * time.Second)) {
		t.Errorf("wakes at %s", plan.Wake)
	}
	in.Now = noon.Add(30 * time.Second)
	if have := changed(Decide(in), in); have != "web-2=2" {
		t.Errorf("after the time: %q", have)
	}
}

func TestApprovals(t *testing.T) {
	d := deployment("25%", "75%")
	d.Spec.Strategy.PauseBetween = v1alpha1.PauseApproval
	in := Input{Deployment: d, Release: release("2"), Revision: "r", Servers: servers("nooo"), Now: noon}
	id := Decide(in).Status.PendingApprovals[0].OperationID
	decide := func(operation string, decision gatev1alpha1.ApprovalDecision) Plan {
		d.Spec.Approvals = []gatev1alpha1.Approval{{
			Gate: gatev1alpha1.GateBatch, OperationID: operation, Decision: decision, By: "ann",
			At: ptr.To(metav1.NewTime(noon)), Reason: "too slow",
		}}
		return Decide(in)
	}
	if have := changed(decide("op-of-another", gatev1alpha1.Approve), in); have != "" {
		t.Errorf("another operation's approval: %q", have)
	}
	if have := changed(decide(id, gatev1alpha1.Approve), in); have != "web-2=2" {
		t.Errorf("approved: %q", have)
	}
	rejected := decide(id, gatev1alpha1.Reject)
	c := apimeta.FindStatusCondition(rejected.Status.Conditions, v1alpha1.ConditionAwaitingApproval)
	if changed(rejected, in) != "" || !strings.Contains(c.Message, "ann rejected the next batch at gate batch: too slow") {
		t.Errorf("rejected: %q, %s", changed(rejected, in), c.Message)
	}
}

// TestAnApprovalIsOfOneRollout: who let a release come to the next batch is asked again when it comes once more, after another one or a
// rollback in between. That the rollout goes on, or is looked at by the next leader, changes no operation.
func TestAnApprovalIsOfOneRollout(t *testing.T) {
	d := deployment("25%", "75%")
	d.Spec.Strategy.PauseBetween = v1alpha1.PauseApproval
	in := Input{Deployment: d, Servers: servers("nooo"), Now: noon}
	asks := func(version string) string {
		t.Helper()
		in.Release, in.Revision = release(version), "r"+version
		for _, s := range in.Servers[:1] {
			s.Spec.Release, s.Status.Release = ptr.To(in.Release), code.Deployed(in.Release)
		}
		plan := Decide(in)
		if d.Status = plan.Status; len(d.Status.PendingApprovals) != 1 {
			return "nobody"
		}
		if operations := in.Operations(); operations[1] != d.Status.PendingApprovals[0].OperationID {
			t.Errorf("answers about %q are kept, and %s waits", operations, d.Status.PendingApprovals[0].OperationID)
		}
		return d.Status.PendingApprovals[0].OperationID
	}
	first := asks("2")
	if again := asks("2"); again != first {
		t.Errorf("the same rollout asks about %s, and before about %s", again, first)
	}
	d.Spec.Approvals = []gatev1alpha1.Approval{{
		Gate: gatev1alpha1.GateBatch, OperationID: first, Decision: gatev1alpha1.Approve, By: "ann", At: ptr.To(metav1.NewTime(noon)),
	}}
	if asked := asks("2"); asked != "nobody" {
		t.Errorf("approved, it asks about %s", asked)
	}
	if asked := asks("3"); asked == "nobody" || asked == first {
		t.Errorf("another release asks about %s", asked)
	}
	if asked := asks("2"); asked == "nobody" || asked == first {
		t.Errorf("the release of before, once more, asks about %s: its approval was of the rollout of before", asked)
	}
}

func TestDeadline(t *testing.T) {
	d := deployment()
	d.Spec.ProgressDeadlineSeconds = ptr.To[int32](60)
	in := Input{Deployment: d, Release: release("2"), Revision: "r", Servers: servers("gooo"), Now: noon}
	d.Status = Decide(in).Status
	in.Now = noon.Add(59 * time.Second)
	if have := says(Decide(in), v1alpha1.ConditionStalled); have != "False RollingOut" {
		t.Errorf("in time: %s", have)
	}
	in.Now = noon.Add(60 * time.Second)
	if have := says(Decide(in), v1alpha1.ConditionStalled); have != "True ProgressDeadlineExceeded" {
		t.Errorf("late: %s", have)
	}
}

// TestARelease plays releases in random order: servers come up late, fall over and are born meanwhile. Never are more away by the release
// than may be, never does one of a batch get it before those of the batches before it have it, and in the end all have it.
func TestARelease(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "servers")
		limit := rapid.IntRange(1, 4).Draw(t, "away at once")
		d := deployment(rapid.SampledFrom([][]string{nil, {"50%", "50%"}, {"1", "30%", "100%"}, {"20%"}}).Draw(t, "batches")...)
		d.Spec.Strategy.MaxUnavailable = ptr.To(intstr.FromInt(limit))
		d.Spec.Strategy.TrafficWeight = ptr.To(rapid.Int32Range(0, 100).Draw(t, "weight"))
		in := Input{
			Deployment: d, Release: release("2"), Revision: "r", Before: ptr.To(release("1")), Servers: servers(strings.Repeat("o", n)), Now: noon,
		}
		for round := 0; ; round++ {
			if round > 300 {
				t.Fatalf("it does not come to an end: %+v", d.Status)
			}
			in.Now = in.Now.Add(time.Second)
			apply(t, in, limit)
			if over := in.completed(); over && round > 40 && int(d.Status.ReadyServers) == len(in.Servers) {
				break
			}
			step(t, &in, round)
		}
		for _, s := range in.Servers {
			if !in.done(s) || s.Spec.TrafficWeight != nil {
				t.Fatalf("%s has %+v at weight %v", s.Name, s.Status.Release, s.Spec.TrafficWeight)
			}
		}
	})
}

// apply what is decided, and look at what that does.
func apply(t *rapid.T, in Input, limit int) {
	away := 0
	for _, s := range in.Servers {
		if !ready(s) {
			away++
		}
	}
	plan, over := Decide(in), in.completed()
	if over && says(plan, v1alpha1.ConditionComplete) != "True RolloutComplete" {
		t.Fatalf("it was Complete, and is %+v", plan.Status.Conditions)
	}
	taken, ends, ordered := 0, in.ends(), in.ordered()
	done := 0
	for done < len(ordered) && in.done(ordered[done]) {
		done++
	}
	for i, s := range ordered {
		c, ok := plan.Changes[s.Name]
		if !ok {
			continue
		}
		if c.Release.Version == "2" && !in.granted(s) {
			for _, end := range ends {
				if end <= i && done < end && !over {
					t.Fatalf("%s gets it in a batch before which only %d of %d have it", s.Name, done, end)
				}
			}
			if ready(s) {
				taken++
			}
			setReady(s, false, in.Now)
		}
		s.Spec.Release, s.Spec.TrafficWeight = c.Release, c.Weight
		s.Generation++
	}
	if taken > 0 && away+taken > limit {
		t.Fatalf("%d are away, %d more are taken, %d may be", away, taken, limit)
	}
	in.Deployment.Status = plan.Status
}

// step lets the world go on.
func step(t *rapid.T, in *Input, round int) {
	for _, s := range in.Servers {
		switch what := rapid.IntRange(0, 9).Draw(t, "what happens"); {
		case what < 6 && s.Spec.Release != nil:
			s.Status.Release = code.Deployed(*s.Spec.Release)
			s.Status.ObservedGeneration = s.Generation
			setReady(s, true, in.Now)
		case what == 9 && round < 40:
			setReady(s, false, in.Now)
		}
	}
	if round < 40 && len(in.Servers) < 12 && rapid.IntRange(0, 19).Draw(t, "born") == 0 {
		s := servers("b")[0]
		s.Name = fmt.Sprintf("web-%d", len(in.Servers)+1)
		in.Servers = append(in.Servers, s)
	}
}
