package vm

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate/call"
)

// TestFailoverGates: a set's own gate is asked by webhook before a server is given up. Nonsense opens nothing, and whom notifyRef names is
// told; one clear answer gives up that server for that outage, and a rejection leaves it as it is.
func TestFailoverGates(t *testing.T) {
	w := newWorld(t)
	o := newOffice(t)
	w.allowed = []string{o.URL}
	says := func(decision string) func(call.Waiting) string {
		return func(q call.Waiting) string {
			return fmt.Sprintf(`{"operationID":%q,"decision":%q,"reason":"of %s %s at %s"}`, q.OperationID, decision, q.Set, q.Server, q.Stage)
		}
	}
	o.says(says("yes, please"))
	w.create(
		&corev1.Secret{ObjectMeta: w.meta("office"), Data: map[string][]byte{call.CAKey: trust(o.Server)}},
		&corev1.Secret{ObjectMeta: w.meta("told"), Data: map[string][]byte{
			call.URLKey: []byte(o.URL + "/told"), call.TokenKey: []byte("word"), call.CAKey: trust(o.Server),
		}},
	)
	set := w.set("web", 3)
	set.Spec.Failover = v1alpha1.Failover{Policy: v1alpha1.FailoverAuto, UnknownTimeoutSeconds: 30}
	set.Spec.Gates = []gatev1alpha1.Gate{{
		Name: "give-up", Stage: gatev1alpha1.StageFailover, Mode: gatev1alpha1.GateWebhook,
		NotifyRef: &gatev1alpha1.SecretReference{Name: "told"},
		Webhook: &gatev1alpha1.GateWebhookCall{
			URL: o.URL + "/gate", CASecretRef: &gatev1alpha1.SecretReference{Name: "office"}, TimeoutSeconds: 5,
		},
	}}
	w.create(set)
	w.lead()
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running", "web-3 Deploying Running"}))
	summary := func() string {
		if p := w.pending(); len(p) == 1 {
			return p[0].Gate + " " + p[0].Server + ": " + p[0].Summary
		}
		return ""
	}
	w.Expect(w.system.Kill(w.key("web-2"))).To(gomega.BeTrue())
	w.Eventually(w.seen).Should(gomega.ContainElement("web-2 Unknown Stopped"))
	w.clock.pass(31 * time.Second)
	w.Eventually(summary).Should(gomega.And(gomega.HavePrefix("give-up web-2: "), gomega.ContainSubstring(`it decided "yes, please"`)))
	operation := w.pending()[0].OperationID
	// Whom a stalled machine kept from answering is told again.
	w.Eventually(o.heard).Should(gomega.And(gomega.HaveLen(1), gomega.HaveKey(operation)))
	w.Expect(w.machines()).To(gomega.ConsistOf("web-1", "web-2", "web-3"))

	o.says(says("Approve"))
	w.again("approved")
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-3 Deploying Running", "web-4 Deploying Running"}))
	w.Eventually(w.pending).Should(gomega.BeEmpty())

	o.says(says("Reject"))
	w.Expect(w.system.Kill(w.key("web-3"))).To(gomega.BeTrue())
	w.Eventually(w.seen).Should(gomega.ContainElement("web-3 Unknown Stopped"))
	w.clock.pass(31 * time.Second)
	w.Eventually(func() []string { return w.events(v1alpha1.ReasonGateAnswered) }).
		Should(gomega.ContainElement(gomega.And(gomega.ContainSubstring("said Reject"), gomega.ContainSubstring("of web web-3 at Failover"))))
	w.again("rejected")
	w.Eventually(w.pending).Should(gomega.BeEmpty())
	w.Consistently(w.machines, time.Second).Should(gomega.ConsistOf("web-1", "web-3", "web-4"))
	w.Expect(w.seen()).To(gomega.ContainElement("web-3 Unknown Stopped"))
}

// heard is how often each operation was told of.
func (o *office) heard() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.told)
}

// events of the namespace with the reason.
func (w *world) events(reason string) []string {
	w.t.Helper()
	list := &corev1.EventList{}
	if err := api.List(w.ctx, list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range list.Items {
		if e.Reason == reason {
			out = append(out, e.Message)
		}
	}
	return out
}
