package rollout

import (
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
)

// delivered is a rollout of release 2 in two batches, past a person, that is over since an hour.
func delivered(letters string) Input {
	d := deployment("50%", "50%")
	d.Spec.Strategy.PauseBetween = v1alpha1.PauseApproval
	in := Input{Deployment: d, Release: release("2"), Revision: "r", Servers: servers(strings.Repeat("n", len(letters))), Now: noon}
	d.Status = Decide(in).Status
	in.Servers, in.Now = servers(letters), noon.Add(time.Hour)
	return in
}

// TestARolloutThatIsOver stays Complete, whoever dies or is born since, and stalls no more: Available says who does not serve. Who was born
// gets the release, and nobody is asked again.
func TestARolloutThatIsOver(t *testing.T) {
	for letters, tc := range map[string]struct{ changes, available, says string }{
		"nnnn":   {"", "True MinimumServersAvailable", "4 of 4 servers serve, and 3 must"},
		"nngn":   {"", "True MinimumServersAvailable", "3 of 4 servers serve, and 3 must: web-3 is Unknown"},
		"gngn":   {"", "False MinimumServersUnavailable", "2 of 4 servers serve, and 3 must: web-1 is Unknown, web-3 is Unknown"},
		"nnnnbb": {"web-5=2 web-6=2", "False MinimumServersUnavailable", "4 of 6 servers serve, and 5 must: web-5 is Unknown, web-6 is Unknown"},
		"nnnf":   {"", "True MinimumServersAvailable", "3 of 4 servers serve, and 3 must: web-4 is Unknown"},
		"":       {"", "False MinimumServersUnavailable", "there is no server yet"},
	} {
		in := delivered("nnnn")
		in.Servers = servers(letters)
		for _, s := range in.Servers {
			s.Status.Phase = v1alpha1.ServerUnknown
		}
		for range 2 { // as the next look finds it, too
			plan := Decide(in)
			if have := changed(plan, in); have != tc.changes {
				t.Errorf("%q: changes %q, want %q", letters, have, tc.changes)
			}
			if have := says(plan, v1alpha1.ConditionComplete); have != "True RolloutComplete" {
				t.Errorf("%q: Complete %s", letters, have)
			}
			if have := says(plan, v1alpha1.ConditionStalled); have != "False RollingOut" || len(plan.Status.PendingApprovals) > 0 {
				t.Errorf("%q: Stalled %s, %d wait", letters, have, len(plan.Status.PendingApprovals))
			}
			c := apimeta.FindStatusCondition(plan.Status.Conditions, v1alpha1.ConditionAvailable)
			if have := says(plan, v1alpha1.ConditionAvailable); have != tc.available || c.Message != tc.says {
				t.Errorf("%q: Available %s: %s, want %s: %s", letters, have, c.Message, tc.available, tc.says)
			}
			in.Deployment.Status, in.Now = plan.Status, in.Now.Add(time.Hour)
		}
	}
}

// TestBackToWhatAllHad: another release in between makes a rollout of the one of before, also where that was Complete once.
func TestBackToWhatAllHad(t *testing.T) {
	in := delivered("nnnn")
	in.Deployment.Spec.Strategy.PauseBetween = v1alpha1.PauseNone
	to := func(version, revision string) Plan {
		in.Release, in.Revision = release(version), revision
		plan := Decide(in)
		in.Deployment.Status = plan.Status
		return plan
	}
	if have := changed(to("3", "r3"), in); have != "web-1=3" {
		t.Fatalf("changes %q", have)
	}
	in.Servers[0].Spec.Release, in.Servers[0].Status.Release = ptr.To(release("3")), code.Deployed(release("3"))
	for range 2 {
		plan := to("2", "r")
		if have := says(plan, v1alpha1.ConditionComplete); have != "False RollingOut" || changed(plan, in) != "web-1=2" {
			t.Errorf("Complete %s, changes %q", have, changed(plan, in))
		}
	}
}

// TestNothingStallsThatBegins: a release that is asked for hours after the one before, one that goes on after a person or a pause, and one
// that takes another's place have just begun, also while their servers do not show it yet.
func TestNothingStallsThatBegins(t *testing.T) {
	approved := func(in *Input, d *v1alpha1.VMDeployment) {
		d.Spec.Approvals = []gatev1alpha1.Approval{{
			Gate: gatev1alpha1.GateBatch, OperationID: d.Status.PendingApprovals[0].OperationID, Decision: gatev1alpha1.Approve, By: "ann",
			At: ptr.To(metav1.NewTime(in.Now)),
		}}
	}
	for name, tc := range map[string]struct {
		before func(*v1alpha1.VMDeployment)
		had    string
		after  func(*Input, *v1alpha1.VMDeployment)
	}{
		"after one that is over": {func(*v1alpha1.VMDeployment) {}, "nnnn", func(in *Input, _ *v1alpha1.VMDeployment) {
			in.Release, in.Revision = release("3"), "r3"
		}},
		"in the place of another": {func(*v1alpha1.VMDeployment) {}, "gooo", func(in *Input, _ *v1alpha1.VMDeployment) {
			in.Release, in.Revision = release("3"), "r3"
		}},
		"after a person": {func(d *v1alpha1.VMDeployment) { d.Spec.Strategy.PauseBetween = v1alpha1.PauseApproval }, "nnoo", approved},
		"after a pause": {func(d *v1alpha1.VMDeployment) {
			d.Spec.Strategy.PauseBetween, d.Spec.Strategy.PauseSeconds = v1alpha1.PauseSeconds, ptr.To[int32](7200)
		}, "nnoo", func(*Input, *v1alpha1.VMDeployment) {}},
		"after it was paused": {func(d *v1alpha1.VMDeployment) { d.Spec.Paused = true }, "nooo",
			func(_ *Input, d *v1alpha1.VMDeployment) { d.Spec.Paused = false }},
	} {
		d := deployment("50%", "50%")
		d.Spec.Strategy.MaxUnavailable = ptr.To(intstr.FromInt32(2))
		tc.before(d)
		in := Input{Deployment: d, Release: release("2"), Revision: "r", Servers: servers(tc.had), Now: noon}
		d.Status = Decide(in).Status
		in.Now = noon.Add(2*time.Hour - time.Minute) // servers are ready since a minute before noon
		tc.after(&in, d)
		for look := range 3 {
			plan := Decide(in)
			if have := says(plan, v1alpha1.ConditionStalled); have != "False RollingOut" {
				t.Errorf("%s, look %d: Stalled %s", name, look, have)
			}
			for _, s := range in.Servers {
				if c, ok := plan.Changes[s.Name]; ok {
					s.Spec.Release = c.Release
				}
			}
			d.Status, in.Now = plan.Status, in.Now.Add(time.Second)
		}
		in.Now = in.Now.Add(10 * time.Minute)
		if have := says(Decide(in), v1alpha1.ConditionStalled); have != "True ProgressDeadlineExceeded" {
			t.Errorf("%s, ten minutes later: Stalled %s", name, have)
		}
	}
}

// TestAServerAsks: a server that waits for a person at a gate of its own stalls nothing, and has its time after the answer.
func TestAServerAsks(t *testing.T) {
	in := Input{Deployment: deployment(), Release: release("2"), Revision: "r", Servers: servers("gooo"), Now: noon}
	asks := func(is metav1.ConditionStatus) {
		apimeta.SetStatusCondition(&in.Servers[0].Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionAwaitingApproval, Status: is, Reason: "x", LastTransitionTime: metav1.NewTime(in.Now),
		})
	}
	asks(metav1.ConditionTrue)
	look := func(after time.Duration) string {
		in.Now = in.Now.Add(after)
		plan := Decide(in)
		in.Deployment.Status = plan.Status
		return says(plan, v1alpha1.ConditionStalled)
	}
	look(0)
	if have := look(time.Hour); have != "False RollingOut" {
		t.Errorf("while it asks: %s", have)
	}
	asks(metav1.ConditionFalse)
	if have := look(time.Minute); have != "False RollingOut" {
		t.Errorf("a minute after the answer: %s", have)
	}
	if have := look(10 * time.Minute); have != "True ProgressDeadlineExceeded" {
		t.Errorf("long after it: %s", have)
	}
}

// TestUnheardAlerts: nothing goes on before the alert queries of a server are known to be quiet since the release came onto it, and it is
// said of whom and why. A person's word is enough.
func TestUnheardAlerts(t *testing.T) {
	for name, tc := range map[string]struct {
		normal  metav1.ConditionStatus
		human   bool
		changes string
		says    string
	}{
		"quiet":        {normal: metav1.ConditionTrue, changes: "web-2=2"},
		"unknown":      {normal: metav1.ConditionUnknown, says: "; nobody knows whether the alert queries of web-1 are quiet: why"},
		"nobody asks":  {says: "; nobody knows whether the alert queries of web-1 are quiet: nobody asks them"},
		"by a person":  {human: true, changes: "web-2=2"},
		"one of a few": {normal: metav1.ConditionUnknown, says: "; nobody knows whether the alert queries of web-1 are quiet: why"},
	} {
		in := Input{Deployment: deployment(), Release: release("2"), Revision: "r", Servers: servers("nooo"), Now: noon}
		if name == "one of a few" {
			in.Deployment = deployment("1", "3")
		}
		for _, s := range in.Servers {
			s.Spec.Monitors = []v1alpha1.Monitor{{Name: "plain"}, {Name: "errors", AlertQuery: "errors > 0"}}
		}
		first := in.Servers[0]
		if tc.normal != "" {
			first.Status.Conditions = append(first.Status.Conditions, metav1.Condition{
				Type: v1alpha1.ConditionMonitoringNormal, Status: tc.normal, Reason: "x", Message: "why",
			})
		}
		if tc.human {
			first.Status.DecidedBy = v1alpha1.DecidedByHuman
		}
		plan := Decide(in)
		c := apimeta.FindStatusCondition(plan.Status.Conditions, v1alpha1.ConditionProgressing)
		if have := changed(plan, in); have != tc.changes || !strings.HasSuffix(c.Message, "servers were told to have it"+tc.says) {
			t.Errorf("%s: changes %q, %q", name, have, c.Message)
		}
		if plan.Status.ReadyServers != 1 {
			t.Errorf("%s: %d serve", name, plan.Status.ReadyServers)
		}
		if tc.says == "" {
			continue
		}
		in.Deployment.Status, in.Now = plan.Status, in.Now.Add(time.Hour)
		c = apimeta.FindStatusCondition(Decide(in).Status.Conditions, v1alpha1.ConditionStalled)
		if !strings.HasPrefix(c.Message, "nothing got further since ") || !strings.HasSuffix(c.Message, tc.says) {
			t.Errorf("%s: %s", name, c.Message)
		}
	}
}
