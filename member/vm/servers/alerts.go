package servers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/ask"
	"github.com/argosy-dev/argosy/member/vm/facts"
)

// Alerts is a Prometheus.
type Alerts interface {
	// Fires is what an instant query gives, for people; empty: nothing. An error is no answer.
	Fires(ctx context.Context, query string) (string, error)
}

// alertTimeout of one query.
const alertTimeout = 10 * time.Second

// listen writes down what the alert queries of the server's monitors give. It is asked once monitoring was told of the server: who is not
// scraped has no alerts, and is not well for that.
func (r *Reconciler) listen(w *work) {
	if r.alerts == nil {
		return
	}
	queries := alertQueries(w.before, facts.Address(w.after.Status.Addresses))
	if len(queries) == 0 || r.Alerts == nil || w.before.DeletionTimestamp != nil {
		r.alerts.Keep(w.before.UID)
		w.after.Status.Conditions = slices.DeleteFunc(slices.Clone(w.after.Status.Conditions),
			func(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionMonitoringNormal })
		return
	}
	is, reason, message := metav1.ConditionUnknown, v1alpha1.ReasonNotAskedYet, untold
	monitored := apimeta.IsStatusConditionTrue(w.after.Status.Conditions, v1alpha1.ConditionMonitored)
	if monitored {
		is, reason, message = r.heard(w, queries)
	} else {
		r.alerts.Keep(w.before.UID)
	}
	was := apimeta.FindStatusCondition(w.after.Status.Conditions, v1alpha1.ConditionMonitoringNormal)
	if was != nil && was.ObservedGeneration == w.before.Generation {
		// The samples change all the time; and what this process has not asked yet, one before it has.
		asked := monitored && reason == v1alpha1.ReasonNotAskedYet && was.Status != metav1.ConditionUnknown
		if same := was.Status == is && was.Reason == reason; same || asked {
			return
		}
	}
	w.normal(is, reason, message)
}

// untold says why nobody is asked about a server that monitoring does not know.
const untold = "monitoring is not told of it yet"

// normal is the condition.
func (w *work) normal(is metav1.ConditionStatus, reason, message string) {
	setCondition(&w.after.Status, metav1.Condition{
		Type: v1alpha1.ConditionMonitoringNormal, Status: is, Reason: reason, Message: facts.Cut(message),
		ObservedGeneration: w.before.Generation, LastTransitionTime: metav1.NewTime(w.now),
	})
}

// unasked says that the alert queries are being asked of a server that monitoring knows, and that nobody answered yet.
func (w *work) unasked() bool {
	all := w.after.Status.Conditions
	normal := apimeta.FindStatusCondition(all, v1alpha1.ConditionMonitoringNormal)
	return normal != nil && normal.Reason == v1alpha1.ReasonNotAskedYet && apimeta.IsStatusConditionTrue(all, v1alpha1.ConditionMonitored)
}

// askAnew forgets what the alert queries gave before. A server without any has no such condition.
func (r *Reconciler) askAnew(w *work) {
	if r.alerts == nil || apimeta.FindStatusCondition(w.after.Status.Conditions, v1alpha1.ConditionMonitoringNormal) == nil {
		return
	}
	r.alerts.Keep(w.before.UID)
	message := "what Prometheus says from now on counts"
	if !apimeta.IsStatusConditionTrue(w.after.Status.Conditions, v1alpha1.ConditionMonitored) {
		message = untold
	}
	w.normal(metav1.ConditionUnknown, v1alpha1.ReasonNotAskedYet, message)
}

// alertQuery of a monitor, as it is asked.
type alertQuery struct{ monitor, text, scraped string }

// alertQueries of a server, with its own names in them; scraped gives nothing unless Prometheus scrapes the monitor's target.
func alertQueries(server *v1alpha1.Server, address string) []alertQuery {
	var out []alertQuery
	for _, m := range server.Spec.Monitors {
		if m.AlertQuery == "" {
			continue
		}
		names := strings.NewReplacer("$namespace", server.Namespace, "$set", server.Labels[v1alpha1.LabelSet], "$server", server.Name,
			"$monitor", m.Name, "$address", address)
		one := alertQuery{monitor: m.Name, text: names.Replace(m.AlertQuery)}
		if m.Port != 0 {
			one.scraped = fmt.Sprintf("up{namespace=%s,server=%s,monitor=%s} == 1",
				strconv.Quote(server.Namespace), strconv.Quote(server.Name), strconv.Quote(m.Name))
		}
		out = append(out, one)
	}
	return out
}

// heard is MonitoringNormal: one query that fires is enough for False, all must be quiet of who is scraped for True.
func (r *Reconciler) heard(w *work, queries []alertQuery) (metav1.ConditionStatus, string, string) {
	is, reason, message := metav1.ConditionTrue, v1alpha1.ReasonNoAlert, "no alert query gives anything"
	var ids []string
	unknown := func(why, text string) {
		if is == metav1.ConditionTrue {
			is, reason, message = metav1.ConditionUnknown, why, text
		}
	}
	put := func(text string) ask.Answer[string] {
		ids = append(ids, text)
		answer := r.alerts.Ask(ask.Question[string]{
			Object: ask.Object{UID: w.before.UID, Name: client.ObjectKeyFromObject(w.before)}, ID: text, Timeout: alertTimeout,
			Again: func(string) time.Duration { return max(time.Second, r.AlertPeriod) },
			Ask:   func(ctx context.Context) (string, error) { return r.Alerts.Fires(ctx, text) },
		})
		w.by(answer.Wake)
		return answer
	}
	for _, q := range queries {
		answer := put(q.text)
		switch {
		case answer.Err != nil:
			unknown(v1alpha1.ReasonPrometheusUnanswered, fmt.Sprintf("monitor %s: Prometheus does not answer: %s", q.monitor, answer.Err))
			continue
		case !answer.OK:
			unknown(v1alpha1.ReasonNotAskedYet, fmt.Sprintf("monitor %s: Prometheus is being asked", q.monitor))
			continue
		case answer.Value != "":
			is, reason = metav1.ConditionFalse, v1alpha1.ReasonAlertFires
			message = fmt.Sprintf("monitor %s: Prometheus says %s for %q", q.monitor, answer.Value, q.text)
		}
		if q.scraped == "" {
			continue
		}
		switch up := put(q.scraped); {
		case up.Err != nil:
			unknown(v1alpha1.ReasonPrometheusUnanswered, fmt.Sprintf("monitor %s: Prometheus does not answer: %s", q.monitor, up.Err))
		case up.OK && up.Value == "":
			unknown(v1alpha1.ReasonNotScraped, fmt.Sprintf("monitor %s: Prometheus has no %s", q.monitor, q.scraped))
		case !up.OK:
			unknown(v1alpha1.ReasonNotAskedYet, fmt.Sprintf("monitor %s: Prometheus is being asked", q.monitor))
		}
	}
	r.alerts.Keep(w.before.UID, ids...)
	return is, reason, message
}
