package servers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
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
