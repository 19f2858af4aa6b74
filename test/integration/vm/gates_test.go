package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate/call"
)

// office answers for a gate's webhook at /gate, and is told at /told.
type office struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(call.Waiting) string
	told   map[string]int
}

// hangs for longer than it is asked.
const hangs = "hangs"

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{told: map[string]int{}}
	end := make(chan struct{})
	o.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var what call.Waiting
		if err := json.NewDecoder(r.Body).Decode(&what); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		o.mu.Lock()
		answer := o.answer
		if r.URL.Path == "/told" {
			o.told[what.OperationID]++
			if r.Header.Get("Authorization") != "Bearer word" {
				o.told["without its token"]++
			}
		}
		o.mu.Unlock()
		if r.URL.Path == "/told" {
			return
		}
		text := answer(what)
		if text == hangs {
			<-end
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(o.Close)
	t.Cleanup(func() { close(end) })
	return o
}

func (o *office) says(answer func(call.Waiting) string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = answer
}

// again has the controllers look once more, when whoever failed may be asked again.
func (w *world) again(note string) {
	w.t.Helper()
	w.clock.pass(10 * time.Minute)
	for _, s := range w.servers() {
		w.Expect(patch(w.ctx, api, &s, fmt.Sprintf(`{"metadata":{"annotations":{"look":%q}}}`, note))).To(gomega.Succeed())
	}
}

// asked waits for what comes of a gate's answer. A machine that stood still may have kept that for longer than the second it may take, so
// that it is asked for again and again.
func (w *world) asked(see func() string) gomega.AsyncAssertion {
	w.t.Helper()
	return w.Eventually(func() string {
		w.again(w.clock.Now().String())
		return see()
	}, 3*time.Minute, 2*time.Second)
}

// TestWebhookGates: who hangs, talks nonsense or of another operation opens nothing and is named; one clear answer opens, or rejects, one
// operation.
func TestWebhookGates(t *testing.T) {
	w := newWorld(t)
	o := newOffice(t)
	w.allowed = []string{o.URL + "/gate"}
	decides := func(decision string) func(call.Waiting) string {
		return func(q call.Waiting) string {
			return fmt.Sprintf(`{"operationID":%q,"decision":%q,"reason":"by change 12"}`, q.OperationID, decision)
		}
	}
	o.says(decides("yes, please"))
	w.create(
		&corev1.Secret{ObjectMeta: w.meta("office"), Data: map[string][]byte{call.CAKey: trust(o.Server)}},
		&corev1.Secret{ObjectMeta: w.meta("told"), Data: map[string][]byte{
			call.URLKey: []byte(o.URL + "/told"), call.TokenKey: []byte("word"), call.CAKey: trust(o.Server),
		}},
	)
	set := w.set("web", 2)
	set.Spec.Gates = []gatev1alpha1.Gate{{
		Name: "make", Stage: gatev1alpha1.StageProvision, Mode: gatev1alpha1.GateWebhook, NotifyRef: &gatev1alpha1.SecretReference{Name: "told"},
		Webhook: &gatev1alpha1.GateWebhookCall{
			URL: o.URL + "/gate", CASecretRef: &gatev1alpha1.SecretReference{Name: "office"}, TimeoutSeconds: 1,
		},
	}}
	w.create(set)
	w.lead()
	summary := func() string {
		if p := w.pending(); len(p) == 2 {
			return p[0].Summary + p[1].Summary
		}
		return ""
	}
	for _, tc := range []struct {
		answer func(call.Waiting) string
		want   string
	}{
		{decides("yes, please"), `it decided "yes, please"`},
		{func(call.Waiting) string { return hangs }, "context deadline exceeded"},
		{func(call.Waiting) string { return `{"operationID":"op-of-yesterday","decision":"Approve"}` }, "it answered about operation"},
		{func(call.Waiting) string { return "<html>" }, "reading its answer"},
		{decides("Wait"), "its webhook waits: by change 12"},
	} {
		o.says(tc.answer)
		w.asked(summary).Should(gomega.ContainSubstring(tc.want))
		w.Expect(w.machines()).To(gomega.BeEmpty(), tc.want)
	}
	o.says(func(q call.Waiting) string {
		if q.Server == "web-2" {
			return decides("Reject")(q)
		}
		return decides("Approve")(q)
	})
	w.asked(func() string { return strings.Join(w.seen(), ", ") }).
		Should(gomega.Equal("web-1 Deploying Running, web-2 Initializing Absent"))
	w.asked(func() string {
		for _, task := range w.server("web-2").Status.Tasks {
			return string(task.State) + " " + task.Message
		}
		return "no task"
	}).Should(gomega.Equal(string(v1alpha1.TaskSkipped) + " rejected by the webhook of gate make: by change 12"))
	w.Expect(w.machines()).To(gomega.ConsistOf("web-1"))

	o.mu.Lock()
	defer o.mu.Unlock()
	w.Expect(o.told).To(gomega.BeEmpty(), "notifyRef's Secret names a URL that is not allowed")
}

// TestNotified: whom notifyRef names is told of what waits, once, and nothing opens for it.
func TestNotified(t *testing.T) {
	w := newWorld(t)
	o := newOffice(t)
	w.allowed = []string{o.URL}
	w.create(&corev1.Secret{ObjectMeta: w.meta("told"), Data: map[string][]byte{
		call.URLKey: []byte(o.URL + "/told"), call.TokenKey: []byte("word"), call.CAKey: trust(o.Server),
	}})
	set := w.set("web", 1)
	set.Spec.Gates = []gatev1alpha1.Gate{{
		Name: "make", Stage: gatev1alpha1.StageProvision, NotifyRef: &gatev1alpha1.SecretReference{Name: "told"},
	}}
	w.create(set)
	w.lead()
	told := func() map[string]int {
		o.mu.Lock()
		defer o.mu.Unlock()
		out := map[string]int{}
		for id, n := range o.told {
			out[id] = n
		}
		return out
	}
	w.Eventually(told).Should(gomega.HaveLen(1))
	w.Eventually(w.pending).Should(gomega.HaveLen(1))
	w.again("once more")
	w.Consistently(told, time.Second).Should(gomega.Equal(map[string]int{w.pending()[0].OperationID: 1}))
	w.Expect(w.machines()).To(gomega.BeEmpty())
}

// oracle is a Prometheus that says what it is told to.
type oracle struct {
	mu             sync.Mutex
	silent         bool
	scrapes, fires bool
	queries        map[string]bool
}

func (o *oracle) Fires(_ context.Context, query string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queries[query] = true
	switch {
	case o.silent:
		return "", errors.New("nobody is there")
	case strings.HasPrefix(query, "up{") && o.scrapes:
		return `{server="web-1"} 1`, nil
	case !strings.HasPrefix(query, "up{") && o.fires:
		return `{server="web-1"} 7`, nil
	}
	return "", nil
}

func (o *oracle) is(change func(*oracle)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

// TestAlertQueries: a server whose alert fires leaves until it is quiet; silence, of Prometheus or because nobody scrapes, moves nobody.
func TestAlertQueries(t *testing.T) {
	w, store := newGuests(t)
	says := &oracle{queries: map[string]bool{}}
	w.alerts = says
	set := probed(w.guests("web", 1))
	set.Spec.Template.Spec.Monitors = []v1alpha1.Monitor{{
		Name: "errors", Template: "shop", Port: 9100, AlertQuery: `errors{server="$server", set="$set"} > 0`,
	}}
	w.create(set, w.deployment(store.release("1.0", startup)))
	w.lead()
	ready, away := []string{"web-1 Ready Running"}, []string{"web-1 Deploying Running"}
	normal := func() string { return saysOf(w.server("web-1").Status.Conditions, v1alpha1.ConditionMonitoringNormal) }
	w.Eventually(w.seen).Should(gomega.Equal(ready))
	w.Eventually(normal).Should(gomega.HavePrefix("Unknown NotScraped: monitor errors: Prometheus has no up{"))
	w.Expect(w.seen()).To(gomega.Equal(ready))
	says.is(func(o *oracle) { o.scrapes = true })
	w.Eventually(normal).Should(gomega.HavePrefix("True NoAlert"))
	says.is(func(o *oracle) { o.fires = true })
	w.Eventually(normal).Should(gomega.Equal(`False AlertFires: monitor errors: Prometheus says {server="web-1"} 7 for ` +
		`"errors{server=\"web-1\", set=\"web\"} > 0"`))
	w.Eventually(w.seen).Should(gomega.Equal(away))
	says.is(func(o *oracle) { o.silent, o.fires = true, false })
	w.Eventually(normal).Should(gomega.HavePrefix("Unknown PrometheusUnanswered: monitor errors: Prometheus does not answer: nobody is there"))
	w.Consistently(w.seen, time.Second).Should(gomega.Equal(away))
	says.is(func(o *oracle) { o.silent = false })
	w.clock.pass(10 * time.Minute)
	w.Eventually(w.seen).Should(gomega.Equal(ready))
	w.Expect(normal()).To(gomega.HavePrefix("True NoAlert"))
}

// TestAReleaseUnderAlerts: what was quiet before says nothing of a release, however rarely it is asked. One whose first server's alert
// fires stops there, and one of which nobody knows whether it does goes no further until it is known.
func TestAReleaseUnderAlerts(t *testing.T) {
	w, store := newGuests(t)
	says := &oracle{queries: map[string]bool{}, scrapes: true}
	w.alerts, w.alertPeriod = says, time.Hour
	set := probed(w.guests("web", 2))
	set.Spec.Template.Spec.Monitors = []v1alpha1.Monitor{{
		Name: "errors", Template: "shop", Port: 9100, AlertQuery: `errors{server="$server"} > 0`,
	}}
	deployment := w.deployment(store.release("1.0", startup))
	w.create(set, deployment)
	w.lead()
	complete := func() string { return w.deploymentSays(v1alpha1.ConditionComplete) }
	w.Eventually(complete).Should(gomega.HavePrefix("True RolloutComplete"))
	release := func(version string) {
		change(w, deployment, func(d *v1alpha1.VMDeployment) {
			d.Spec.Release = store.release(version, startup)
			d.Spec.Strategy.Batches = []intstr.IntOrString{intstr.FromString("50%"), intstr.FromString("50%")}
		})
	}
	later := func(edit func(*oracle)) {
		says.is(edit)
		w.again(w.clock.Now().String())
		w.clock.pass(time.Hour)
	}

	says.is(func(o *oracle) { o.fires = true })
	release("2.0")
	w.Eventually(func() string { return saysOf(w.server("web-1").Status.Conditions, v1alpha1.ConditionMonitoringNormal) }).
		Should(gomega.HavePrefix("False AlertFires"))
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Ready Running"}))
	w.Consistently(w.releases, time.Second).Should(gomega.Equal("2.0 1.0"))
	later(func(o *oracle) { o.fires = false })
	w.Eventually(complete).Should(gomega.HavePrefix("True RolloutComplete"))
	w.Expect(w.releases()).To(gomega.Equal("2.0 2.0"))

	says.is(func(o *oracle) { o.silent = true })
	release("3.0")
	w.Eventually(func() string { return w.deploymentSays(v1alpha1.ConditionProgressing) }).Should(gomega.HaveSuffix(
		"; nobody knows whether the alert queries of web-1 are quiet: monitor errors: Prometheus does not answer: nobody is there"))
	w.Expect(w.seen()).To(gomega.Equal(bothReady), "it keeps nobody out of service")
	w.Consistently(w.releases, time.Second).Should(gomega.Equal("3.0 2.0"))
	later(func(o *oracle) { o.silent = false })
	w.Eventually(complete).Should(gomega.HavePrefix("True RolloutComplete"))
	w.Expect(w.releases()).To(gomega.Equal("3.0 3.0"))
}
