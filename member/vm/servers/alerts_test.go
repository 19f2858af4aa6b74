package servers

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/ask"
	"github.com/argosy-dev/argosy/member/vm/state"
)

// TestAlertQueriesText: a server's own names stand in its queries, and what says that it is scraped is asked of targets alone.
func TestAlertQueriesText(t *testing.T) {
	server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web-1", Labels: map[string]string{v1alpha1.LabelSet: "web"},
	}}
	server.Spec.Monitors = []v1alpha1.Monitor{
		{Name: "plain", Port: 9100},
		{Name: "own", AlertQuery: `errors{set="$set", server="$server", at="$address", m="$monitor", namespace="$namespace"} > 0`, Port: 9100},
		{Name: "foreign", AlertQuery: `ALERTS{alertname="$Other"}`},
	}
	want := []alertQuery{
		{"own", `errors{set="web", server="web-1", at="10.0.0.1", m="own", namespace="shop"} > 0`,
			`up{namespace="shop",server="web-1",monitor="own"} == 1`},
		{"foreign", `ALERTS{alertname="$Other"}`, ""},
	}
	if diff := cmp.Diff(want, alertQueries(server, "10.0.0.1"), cmp.AllowUnexported(alertQuery{})); diff != "" {
		t.Error(diff)
	}
}

// TestAlertsJudgedAnew: what alert queries gave before a deployment says nothing of what is deployed: its check waits until they were asked
// anew, once monitoring knows of the server, and for no longer than an answer takes. Who was told of it by a process before this one is not
// Unknown for that.
func TestAlertsJudgedAnew(t *testing.T) {
	const waits = "Running, Unknown NotAskedYet; "
	for name, tc := range map[string]struct {
		row       string
		monitored metav1.ConditionStatus
		answer    error
		want      string
	}{
		"deployed": {v1alpha1.ReasonReleaseChanging, metav1.ConditionTrue, nil, waits + "Succeeded, True NoAlert"},
		"deployed at a person's word": {
			v1alpha1.ReasonOverride, metav1.ConditionTrue, nil, waits + "Succeeded, True NoAlert",
		},
		"nobody answers": {
			v1alpha1.ReasonReleaseChanging, metav1.ConditionTrue, errors.New("down"), waits + "Succeeded, Unknown PrometheusUnanswered",
		},
		"monitoring does not know it": {
			v1alpha1.ReasonReleaseChanging, metav1.ConditionFalse, nil, "Succeeded, Unknown NotAskedYet; Succeeded, Unknown NotAskedYet",
		},
		"out of service until it is well": {
			v1alpha1.ReasonMonitoringAbnormal, metav1.ConditionTrue, nil, "Succeeded, True NoAlert; Succeeded, True NoAlert",
		},
	} {
		t.Run(name, func(t *testing.T) {
			heard := make(chan struct{}, 9)
			r := &Reconciler{alerts: ask.New[string](clock.RealClock{}, func(types.NamespacedName) { heard <- struct{}{} })}
			r.Alerts, r.AlertPeriod = answers{tc.answer}, time.Hour
			go func() { _ = r.alerts.Start(t.Context()) }()
			first := ask.Question[string]{ID: "whether it runs", Timeout: time.Minute, Ask: func(context.Context) (string, error) { return "", nil }}
			for !r.alerts.Ask(first).Wake.IsZero() {
				runtime.Gosched()
			}
			<-heard
			server := &v1alpha1.Server{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "u"}}
			server.Spec.Monitors = []v1alpha1.Monitor{{Name: "errors", AlertQuery: "errors > 0"}}
			server.Status.Conditions = []metav1.Condition{
				{Type: v1alpha1.ConditionMonitored, Status: tc.monitored},
				{Type: v1alpha1.ConditionMonitoringNormal, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNoAlert},
			}
			w := &work{before: server, after: server.DeepCopy(), decided: state.Output{Row: tc.row}, now: time.Unix(1e9, 0)}
			task := &v1alpha1.Task{Type: v1alpha1.TaskCheckHealth, State: v1alpha1.TaskPending}
			says := func() string {
				is := apimeta.FindStatusCondition(w.after.Status.Conditions, v1alpha1.ConditionMonitoringNormal)
				return fmt.Sprintf("%s, %s %s", task.State, is.Status, is.Reason)
			}
			r.listen(w)
			r.checkHealth(w, task)
			have := says()
			if tc.monitored == metav1.ConditionTrue {
				r.listen(w)
				<-heard
				r.listen(w)
			}
			if task.State == v1alpha1.TaskRunning {
				r.checkHealth(w, task)
			}
			if have += "; " + says(); have != tc.want {
				t.Errorf("%s, want %s", have, tc.want)
			}
		})
	}
}

// answers is a Prometheus that finds nothing, or answers nobody.
type answers struct{ err error }

func (a answers) Fires(context.Context, string) (string, error) { return "", a.err }

// TestTaskSeconds: each task is measured once, when it ends.
func TestTaskSeconds(t *testing.T) {
	m := newMeasures()
	at := func(seconds int64) *metav1.Time { return &metav1.Time{Time: time.Unix(seconds, 0)} }
	running := v1alpha1.Task{ID: "a-1", Type: v1alpha1.TaskDeployCode, State: v1alpha1.TaskRunning, StartedAt: at(10)}
	done := running
	done.State, done.FinishedAt = v1alpha1.TaskSucceeded, at(14)
	for _, step := range []struct{ before, after []v1alpha1.Task }{
		{nil, []v1alpha1.Task{running}},
		{[]v1alpha1.Task{running}, []v1alpha1.Task{done}},
		{[]v1alpha1.Task{done}, []v1alpha1.Task{done}},
	} {
		m.ended(step.before, step.after)
	}
	if n := testutil.CollectAndCount(m.tasks); n != 1 {
		t.Errorf("%d series, want one", n)
	}
}
