package gates

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate/call"
	"github.com/argosy-dev/argosy/member/vm/ask"
)

const (
	// waitAgain is how soon a webhook is asked again that said Wait.
	waitAgain = 30 * time.Second
	// tellTimeout of one notification.
	tellTimeout = 10 * time.Second
	// longestSummary of a pending approval, in bytes.
	longestSummary = 512
)

// Options of a Keeper.
type Options struct {
	// AllowedURLs are the prefixes below which webhooks and notifications may be called; empty: none may.
	AllowedURLs []string
	// Calls counts the calls (NewCalls); nil: nobody does.
	Calls *prometheus.CounterVec
}

// NewCalls makes the counter of all Keepers of a process.
func NewCalls() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "argosy_vm_gate_calls_total",
		Help: "Calls of gates: call Webhook with result Approve, Reject, Wait or Unanswered, and call Notify with Told or Unanswered.",
	}, []string{"call", "result"})
}

// Keeper keeps what webhooks said. It is a manager's Runnable.
type Keeper struct {
	Options
	// live reads Secrets by name.
	live     client.Reader
	recorder record.EventRecorder
	webhooks *ask.Asker[call.Answer]
	told     *ask.Asker[struct{}]

	mu   sync.Mutex
	held map[types.UID][]said
}

// said is what a webhook answered for good.
type said struct {
	gate, operation, url string
	answer               call.Answer
	at                   time.Time
}

// New keeper; tell is called with an object about which something was heard, and must not wait.
func New(o Options, live client.Reader, recorder record.EventRecorder, now clock.PassiveClock, tell func(types.NamespacedName)) *Keeper {
	return &Keeper{
		Options: o, live: live, recorder: recorder, webhooks: ask.New[call.Answer](now, tell), told: ask.New[struct{}](now, tell),
		held: map[types.UID][]said{},
	}
}

// Start calls until the context ends, and the calls under way with it.
func (k *Keeper) Start(ctx context.Context) error {
	var told error
	var both sync.WaitGroup
	both.Go(func() { told = k.told.Start(ctx) })
	err := k.webhooks.Start(ctx)
	both.Wait()
	return errors.Join(err, told)
}

// Answers are what the webhooks of these gates said about an object's operations, in the form of approvals. Those of a gate that is no
// webhook's any more, or another's, are none.
func (k *Keeper) Answers(object types.UID, gates []gatev1alpha1.Gate) []gatev1alpha1.Approval {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []gatev1alpha1.Approval
	for _, s := range k.held[object] {
		if !slices.ContainsFunc(gates, func(g gatev1alpha1.Gate) bool { return g.Name == s.gate && urlOf(g) == s.url }) {
			continue
		}
		out = append(out, gatev1alpha1.Approval{
			Gate: s.gate, OperationID: s.operation, Decision: gatev1alpha1.ApprovalDecision(s.answer.Decision), Reason: s.answer.Reason,
			By: "the webhook of gate " + s.gate, At: &metav1.Time{Time: s.at},
		})
	}
	return out
}

func urlOf(g gatev1alpha1.Gate) string {
	if g.Mode != gatev1alpha1.GateWebhook || g.Webhook == nil {
		return ""
	}
	return g.Webhook.URL
}

// Waiting is an object whose operations wait at gates.
type Waiting struct {
	Object client.Object
	// Set is the name of the VMReplicaSet.
	Set     string
	Gates   []gatev1alpha1.Gate
	Pending []gatev1alpha1.PendingApproval
	// Operations whose answers count still although nothing waits for them any more: they are about to begin.
	Operations []string
}

// Settle asks and tells what there is to ask and to tell, and gives the pending approvals with what is heard of the webhooks in their
// summaries, and when to come again; zero: never.
func (k *Keeper) Settle(w Waiting) ([]gatev1alpha1.PendingApproval, time.Time) {
	about := ask.Object{UID: w.Object.GetUID(), Name: client.ObjectKeyFromObject(w.Object)}
	out, wake := slices.Clone(w.Pending), time.Time{}
	var asked, tell []string
	by := func(at time.Time) {
		if !at.IsZero() && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
	}
	for i := range out {
		g := slices.IndexFunc(w.Gates, func(g gatev1alpha1.Gate) bool { return g.Name == out[i].Gate })
		if g < 0 {
			continue
		}
		one := question{Waiting: w, Object: about, gate: w.Gates[g], pending: w.Pending[i]}
		if one.gate.NotifyRef != nil {
			id := one.id() + "/" + one.gate.NotifyRef.Name
			tell = append(tell, id)
			by(k.tell(one, id))
		}
		if url := urlOf(one.gate); url != "" {
			id := one.id() + "/" + url
			asked = append(asked, id)
			heard, again := k.ask(one, id)
			out[i].Summary = cut(out[i].Summary + " (" + heard + ")")
			by(again)
		}
	}
	k.webhooks.Keep(about.UID, asked...)
	k.told.Keep(about.UID, tell...)
	k.forget(w)
	return out, wake
}

func cut(text string) string {
	return string([]rune(text)[:min(len([]rune(text)), longestSummary)])
}

// forget answers about operations that neither wait nor are about to begin.
func (k *Keeper) forget(w Waiting) {
	k.mu.Lock()
	defer k.mu.Unlock()
	uid := w.Object.GetUID()
	k.held[uid] = slices.DeleteFunc(k.held[uid], func(s said) bool {
		waits := slices.ContainsFunc(w.Pending, func(p gatev1alpha1.PendingApproval) bool {
			return p.Gate == s.gate && p.OperationID == s.operation
		})
		return !waits && !slices.Contains(w.Operations, s.operation)
	})
	if len(k.held[uid]) == 0 {
		delete(k.held, uid)
	}
}

// Forget an object.
func (k *Keeper) Forget(object types.UID) {
	k.webhooks.Keep(object)
	k.told.Keep(object)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.held, object)
}

type question struct {
	Waiting
	ask.Object
	gate    gatev1alpha1.Gate
	pending gatev1alpha1.PendingApproval
}

func (q question) id() string { return q.gate.Name + "/" + q.pending.OperationID }

func (q question) posted() call.Waiting {
	return call.Waiting{
		Gate: q.gate.Name, Stage: q.gate.Stage, OperationID: q.pending.OperationID, Namespace: q.Name.Namespace, Set: q.Set,
		Server: q.pending.Server, Summary: q.pending.Summary, Since: q.pending.Since,
	}
}

// ask the webhook, and say what is heard of it.
func (k *Keeper) ask(q question, id string) (heard string, wake time.Time) {
	hook, object := *q.gate.Webhook, q.Waiting.Object.DeepCopyObject()
	answer := k.webhooks.Ask(ask.Question[call.Answer]{
		Object: q.Object, ID: id, Timeout: time.Duration(max(1, hook.TimeoutSeconds)) * time.Second,
		Again: func(a call.Answer) time.Duration {
			if a.Decision == call.Wait {
				return waitAgain
			}
			return 0
		},
		Ask: func(ctx context.Context) (call.Answer, error) {
			to, err := k.webhook(ctx, q.Name.Namespace, hook)
			var out call.Answer
			if err == nil {
				out, err = call.Ask(ctx, to, q.posted())
			}
			if err != nil {
				k.count("Webhook", "Unanswered")
				k.recorder.Eventf(object, corev1.EventTypeWarning, v1alpha1.ReasonGateUnanswered,
					"The webhook of gate %s did not answer about operation %s: %s", q.gate.Name, q.pending.OperationID, err)
				return out, err
			}
			k.count("Webhook", string(out.Decision))
			if out.Decision != call.Wait {
				k.recorder.Eventf(object, corev1.EventTypeNormal, v1alpha1.ReasonGateAnswered,
					"The webhook of gate %s said %s to operation %s: %s", q.gate.Name, out.Decision, q.pending.OperationID, out.Reason)
			}
			return out, nil
		},
	})
	if answer.OK && answer.Value.Decision != call.Wait {
		k.hold(q, answer)
	}
	switch {
	case answer.Err != nil:
		return "its webhook did not answer: " + answer.Err.Error(), answer.Wake
	case !answer.OK:
		return "its webhook is asked", answer.Wake
	case answer.Value.Decision == call.Wait && answer.Value.Reason != "":
		return "its webhook waits: " + answer.Value.Reason, answer.Wake
	case answer.Value.Decision == call.Wait:
		return "its webhook waits", answer.Wake
	}
	return fmt.Sprintf("its webhook said %s", answer.Value.Decision), answer.At // decided anew with it at once
}

func (k *Keeper) hold(q question, answer ask.Answer[call.Answer]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	is := said{gate: q.gate.Name, operation: q.pending.OperationID, url: urlOf(q.gate), answer: answer.Value, at: answer.At}
	if !slices.Contains(k.held[q.UID], is) {
		k.held[q.UID] = append(k.held[q.UID], is)
	}
}

// tell whom the gate names that this waits, once. What still waits after a restart is told once more, under the same operationID.
func (k *Keeper) tell(q question, id string) time.Time {
	object := q.Waiting.Object.DeepCopyObject()
	return k.told.Ask(ask.Question[struct{}]{
		Object: q.Object, ID: id, Timeout: tellTimeout,
		Ask: func(ctx context.Context) (struct{}, error) {
			to, err := k.receiver(ctx, client.ObjectKey{Namespace: q.Name.Namespace, Name: q.gate.NotifyRef.Name})
			if err == nil {
				err = call.Tell(ctx, to, q.posted())
			}
			if err != nil {
				k.count("Notify", "Unanswered")
				k.recorder.Eventf(object, corev1.EventTypeWarning, v1alpha1.ReasonNotifyFailed,
					"Whom notifyRef of gate %s names was not told of operation %s: %s", q.gate.Name, q.pending.OperationID, err)
				return struct{}{}, err
			}
			k.count("Notify", "Told")
			return struct{}{}, nil
		},
	}).Wake
}

func (k *Keeper) count(kind, result string) {
	if k.Calls != nil {
		k.Calls.WithLabelValues(kind, result).Inc()
	}
}

func (k *Keeper) webhook(ctx context.Context, namespace string, hook gatev1alpha1.GateWebhookCall) (call.Receiver, error) {
	out := call.Receiver{URL: hook.URL}
	if err := call.Allowed(hook.URL, k.AllowedURLs); err != nil {
		return out, err
	}
	if hook.CASecretRef == nil {
		return out, nil
	}
	secret, err := k.secret(ctx, client.ObjectKey{Namespace: namespace, Name: hook.CASecretRef.Name})
	if err != nil {
		return out, err
	}
	if out.CA = secret[call.CAKey]; len(out.CA) == 0 {
		return out, fmt.Errorf("secret %s has no key %s", hook.CASecretRef.Name, call.CAKey)
	}
	return out, nil
}

func (k *Keeper) receiver(ctx context.Context, key client.ObjectKey) (call.Receiver, error) {
	secret, err := k.secret(ctx, key)
	if err != nil {
		return call.Receiver{}, err
	}
	out := call.Receiver{URL: string(secret[call.URLKey]), Token: string(secret[call.TokenKey]), CA: secret[call.CAKey]}
	if out.URL == "" {
		return out, fmt.Errorf("secret %s has no key %s", key.Name, call.URLKey)
	}
	return out, call.Allowed(out.URL, k.AllowedURLs)
}

func (k *Keeper) secret(ctx context.Context, key client.ObjectKey) (map[string][]byte, error) {
	secret := &corev1.Secret{}
	if err := k.live.Get(ctx, key, secret); err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", key.Name, err)
	}
	return secret.Data, nil
}
